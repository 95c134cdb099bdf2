"""A model that is trained before the recipe's own, which needs it: an autoencoder, or a teacher."""

import dataclasses

from torchworks.shared.config import Config, OptimConfig
from torchworks.shared.data import Dataset, LoaderFactory
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Task
from torchworks.shared.training.progress import Progress, Silent
from torchworks.shared.training.trainer import Trainer

DRY = 2
"""Its steps in a dry run."""


def steps_of(config: Config, steps: int) -> int:
    """The steps that it is trained for: `steps`, or a few in a dry run."""
    return DRY if config.trainer.dry_run else steps


def pretrain(
    task: Task,
    config: Config,
    train: Dataset,
    test: Dataset | None = None,
    *,
    name: str,
    steps: int,
    batch_size: int,
    optim: OptimConfig,
    device: Device,
    ema: float = 0.0,
) -> dict[str, float]:
    """Train the nets of `task` and return their scores on `test`, if it is given. What is not named here is as `config`
    says for the recipe's own model. Nothing is saved, and every process trains the same nets."""
    alone = dataclasses.replace(device, rank=0, world=1)
    settings = dataclasses.replace(
        config.trainer, steps=steps, batch_size=batch_size, ema=ema, eval_every=0, checkpoint_every=0, accumulate=1,
        compile=False, dry_run=False, profile=False, find_lr=False, overfit_one_batch=False, tensorboard=False,
    )  # fmt: skip
    loaders = LoaderFactory(dataclasses.replace(config, trainer=settings), alone)
    progress = Progress(steps) if device.rank == 0 else Silent()
    progress.say(f"first the {name} is trained, for {steps} steps")
    trainer = Trainer(
        task, loaders.training(train), None if test is None else loaders.ordered(test), settings,
        optim=optim, seed=config.seed, progress=progress, device=alone,
    )  # fmt: skip
    return trainer.fit().scores
