"""Tiny finished runs, and a cache of the tests' own."""

import contextlib
import io
from pathlib import Path

import pytest

from torchworks.diffusion.commands import COMMANDS
from torchworks.shared.cli import main

WORDS = [
    "--loader.image-size", 16, "--trainer.steps", 4, "--trainer.batch-size", 8, "--trainer.eval-every", 0,
    "--trainer.device", "cpu", "--trainer.precision", "fp32", "--net.widths", 8, 16,
    "--sampling.steps", 2, "--sampling.sampler", "dpmpp-2m",
]  # fmt: skip


def command(*words: object) -> int:
    """`diffusion` with these words: its exit code."""
    return main("diffusion", default="flow", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture
def diffusion():
    """`diffusion` as a function of its words."""
    return command


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A cache of its own, in which each judge is trained once."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="session")
def trained(home):
    """A finished run of a recipe, trained for a moment when it is first asked for."""
    made: dict[tuple, Path] = {}

    def run(recipe: str, *words: object) -> Path:
        key = (recipe, *words)
        if key not in made:
            out = home / f"{recipe}-{len(made)}"
            with contextlib.redirect_stdout(io.StringIO()):  # what a test reads is what it prints itself
                assert command("train", recipe, "--out", out, *WORDS, *words) == 0
            made[key] = out
        return made[key]

    return run
