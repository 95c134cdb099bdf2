"""Command-line arguments of speaker verification. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Run

Sounds = Annotated[tuple[Path, ...], Positional, arg(metavar="FILES", help_behavior_hint="")]


@dataclass(frozen=True)
class CompareVoices:
    """Say how alike the voices of two or more recordings are, with a run of `who`.

    Prints the similarity of each pair, from -1 to 1. At the threshold, pairs of one voice were taken for two as often
    as pairs of two for one, among generated voices held out of training. It is no proof of who speaks: microphones,
    rooms, moods and relatives lead astray. Do not identify people by it who have not agreed.
    """

    run: Run
    files: Sounds
    """Two or more WAV or FLAC files, each with one voice."""
    device: Device = "auto"


COMMANDS = {"compare-voices": Command(CompareVoices, "torchworks.seq_models.verification.use:compare_voices")}
