"""Command-line arguments of action recognition. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Recognize:
    """Name what happens in films with a run of `action` or a recipe like it.

    A line for each film: its file, and its likeliest classes with their probabilities. Films that cannot be read are
    named at the end, once all others are done.
    """

    run: Run
    films: Annotated[tuple[Path, ...], Positional, arg(metavar="FILM…", help_behavior_hint="")]
    """Film files (GIF, WebP, PNG; videos with the extra video), folders of frames, or folders of these."""
    top: int = 3
    """Classes to print for a film."""
    out: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also draw a strip of frames of each of the first 24 films into this image file; green where the name of the
    film's folder is the likeliest class, red where it is another class."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"recognize": Command(Recognize, "torchworks.hybrid_multimodal.actions.use:recognize")}
