"""Commands for runs that translate images. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Run


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Translate:
    """Turn images into those of the other kind, by cyclegan or pix2pix.

    Images are cropped at their middle to a square and brought to the size of the run.
    """

    run: Run
    images: Annotated[tuple[Path, ...], Positional, arg(metavar="IMAGES", help_behavior_hint="")]
    """Image files, or folders of them."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the results, PNG files named after the images."""
    direction: Literal["ab", "ba"] = "ab"
    """From the first kind to the second (ab), or back (ba: cyclegan only)."""
    overwrite: bool = False
    """Replace files of the same names in DIR; images that are read are never replaced."""
    device: Device = "auto"


COMMANDS = {"translate": Command(Translate, "torchworks.gans.translation.use:translate")}
