"""Commands for face swaps. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Images, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Swap:
    """Put a face in the place of another, by a run of face-swap.

    CONSENT: only for images of persons who have agreed to it, for teaching and for the research of detectors. Putting
    the face of somebody who has not agreed into an image can do great harm, and is a crime in many countries.

    Every image made bears a visible mark (the word SWAPPED) and an invisible one that names the run, which
    `gans provenance` reads; the PNG file says so too. Images show a face alone: they are cropped at their middle to a
    square and brought to the size of the run, as those that it was trained on.
    """

    run: Run
    images: Images
    to: Literal["A", "B"] = "B"
    """The person whose face is put in: the first (A) or the second (B) of the run's --data."""
    out: Annotated[Path | None, by_default("DIR", "RUN/swapped")] = None
    """Folder for the results, PNG files named after the images."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Provenance:
    """Say whether images bear the mark of a face swap, and of which run.

    It says how many of 32 known bits agree, and how probable that is of an image without a mark. That there is no mark
    proves nothing: whoever has this program can remove it.
    """

    images: Annotated[tuple[Path, ...], Positional, arg(metavar="IMAGES", help_behavior_hint="")]
    """Image files, or folders of them."""
    runs: Annotated[tuple[Path, ...], by_default("RUN …", "none are compared")] = ()
    """Finished runs of face-swap that may have made them."""
    csv: Annotated[Path | None, by_default("FILE", "no table")] = None
    """Also write a table."""
    overwrite: Overwrite = False


COMMANDS = {
    "swap": Command(Swap, "torchworks.gans.swapping.use:swap"),
    "provenance": Command(Provenance, "torchworks.gans.swapping.use:provenance"),
}
