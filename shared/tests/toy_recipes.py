"""The command line of the toy tasks, with faults to order. Imports no torch.

    python toy_recipes.py train gan --trainer.steps 60

The environment variable TOY_FAULT="kill N" ends the process by SIGKILL at its N-th operation on the file system while
a checkpoint is written.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torchworks.shared import cli
from torchworks.shared.config import Config, OptimConfig, TrainerConfig


@dataclass(frozen=True)
class ToyConfig(Config):
    """A toy."""

    package: ClassVar[str] = "toy"
    build: ClassVar[str] = "toy:experiment"
    convolutional: ClassVar[bool] = False

    data: str = "ring"
    slow: float = 0.0
    """Seconds to wait for each batch."""
    optim: OptimConfig = field(default_factory=lambda: OptimConfig(schedule="cosine", warmup=5))
    trainer: TrainerConfig = field(
        default_factory=lambda: TrainerConfig(
            steps=60, batch_size=32, device="cpu", precision="fp32", ema=0.9,
            log_every=5, eval_every=20, checkpoint_every=7,
        )
    )  # fmt: skip


def classifier() -> Config:
    """A classifier with batch normalization, dropout and momentum."""
    return ToyConfig(recipe="classifier", seed=3)


def plain() -> Config:
    """The classifier without normalization and dropout."""
    return ToyConfig(recipe="plain", seed=3)


def gan() -> Config:
    """A GAN with a phase that repeats and a lazy gradient penalty."""
    return ToyConfig(recipe="gan", seed=3)


def game() -> Config:
    """The GAN without the penalty."""
    return ToyConfig(recipe="game", seed=3)


def shaken() -> Config:
    """The classifier with a doctor that rolls back twice."""
    return ToyConfig(recipe="shaken", seed=3)


def contrast() -> Config:
    """A loss over the whole batch."""
    return ToyConfig(recipe="contrast", seed=3)


def lean() -> Config:
    """The classifier with an optimizer of the core's."""
    return ToyConfig(recipe="lean", seed=3)


def unequal() -> Config:
    """The plain classifier with rows that weigh differently."""
    return ToyConfig(recipe="unequal", seed=3)


def windows() -> Config:
    """Guesses the next sign in windows of one long text."""
    return ToyConfig(recipe="windows", seed=3)


def mapped() -> Config:
    """The same with the text in a file that is mapped to memory."""
    return ToyConfig(recipe="mapped", seed=3)


def buckets() -> Config:
    """Guesses the next sign in texts of different lengths, batched with others of their length."""
    return ToyConfig(recipe="buckets", seed=3)


@dataclass(frozen=True)
class IdsConfig(ToyConfig):
    """A recommender."""

    build: ClassVar[str] = "toy_models:recommender"


@dataclass(frozen=True)
class TextsConfig(ToyConfig):
    """A classifier of texts."""

    build: ClassVar[str] = "toy_models:forecaster"


def ids() -> Config:
    """Recommends items to users by their ids."""
    return IdsConfig(recipe="ids", seed=3)


def texts() -> Config:
    """Classifies texts of different lengths; its tokenizer is saved with it."""
    return TextsConfig(recipe="texts", seed=3)


def main(words: list[str] | None = None) -> int:
    """Run one command of the package `toy`."""
    return cli.main("toy", "classifier", {}, words)


def run(words: list[str], log: Path, environment: dict[str, str]) -> None:
    """`main` in a process of its own, with its output in `log`."""
    os.environ.update(environment)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)
    if fault := os.environ.get("TOY_FAULT"):
        kill_at_operation(int(fault.removeprefix("kill ")))
    sys.exit(main(words))


def kill_at_operation(number: int) -> None:
    """Die at the `number`-th sync, rename or deletion."""
    done = 0

    def counted(function: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            if done == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **options)

        return call

    os.fsync, shutil.rmtree = counted(os.fsync), counted(shutil.rmtree)
    Path.rename = counted(Path.rename)


if __name__ == "__main__":
    sys.exit(main())
