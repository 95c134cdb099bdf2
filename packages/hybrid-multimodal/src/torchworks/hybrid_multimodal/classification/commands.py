"""Command-line arguments of classification. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Images, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Classify:
    """Print the likeliest classes of images, by a run of `attention`, `coatnet` or a recipe like them.

    With --out also draw what speaks for and against the likeliest class, and where attention pooling looked. Files that
    cannot be read are named at the end, once all others are done.
    """

    run: Run
    images: Images
    top: Annotated[int, arg(metavar="N")] = 3
    """Classes to print for each image."""
    out: Annotated[Path | None, by_default("DIR", "none")] = None
    """Folder for drawings of the images with what speaks for their class (nets with --net.model conv)."""
    csv: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also write a table with the probability of every class."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"classify": Command(Classify, "torchworks.hybrid_multimodal.classification.use:classify")}
