"""Command-line arguments of pronunciation. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Run, by_default

Words = Annotated[tuple[str, ...], Positional, arg(metavar="WORDS", help_behavior_hint="")]


@dataclass(frozen=True)
class Pronounce:
    """Say how words sound, in the sounds of the data (ARPAbet for English), with a run of `pronounce`.

    The likeliest pronunciations of each word follow it, with their probabilities, and the dictionary's where the word
    is in it: the model may have learned that very word. Words that cannot be pronounced are named at the end, once all
    others are; the exit code is 2 then.
    """

    run: Run
    words: Words = ()
    """Words, in any case."""
    file: Annotated[Path | None, by_default("FILE", "none")] = None
    """Pronounce the words of a text file too; - is the standard input."""
    n: Annotated[int, arg(metavar="N")] = 3
    """Pronunciations of each word, at most."""
    device: Device = "auto"


COMMANDS = {"pronounce": Command(Pronounce, "torchworks.seq_models.pronunciation.use:pronounce")}
