"""Commands that restore and change a user's images. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, Seed, by_default

Image = Annotated[
    Path, Positional, arg(metavar="IMAGE", help="Image file; it is cropped to a square of the run's size.")
]
Told = Annotated[str | None, by_default("CLASS", "not told")]


@dataclass(frozen=True)
class Restore:
    """What the commands share: an image, and how what they draw is drawn."""

    done: ClassVar[str]
    """What was done to the image, as the name of the picture says."""

    run: Run
    image: Image
    n: Annotated[int, arg(metavar="N")] = 4
    """How many different images to draw."""
    steps: Annotated[int, arg(metavar="N")] = 12
    """Steps from noise to image."""
    guidance: Annotated[float | None, by_default("X", "the run's own")] = None
    """How much more than the class asks for is done."""
    seed: Seed = 0
    out: Annotated[Path | None, by_default("FILE", "beside the image, named after it and the command")] = None
    """Picture to write: the image, and those that were drawn."""
    files: bool = False
    """Also write each drawn image to a file of its own, at the size of the run."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True, kw_only=True)
class Inpaint(Restore):
    """Fill a hole in an image. No pixel outside of the hole is changed."""

    done: ClassVar[str] = "inpainted"

    mask: Annotated[Path | None, by_default("FILE", "none")] = None
    """Image as large as the first, white where the hole is."""
    box: Annotated[tuple[int, int, int, int] | None, by_default("X Y WIDTH HEIGHT", "none")] = None
    """The hole in pixels of the run's size, from the upper left corner; instead of --mask."""
    label: Told = None
    """What the image shows, for a run with classes."""
    resamplings: Annotated[int, arg(metavar="N")] = 3
    """How often each step is made, so that the filling fits; 1 takes a third of the time."""


@configure(FlagCreatePairsOff)
@dataclass(frozen=True, kw_only=True)
class Enlarge(Restore):
    """Enlarge an image to the size of the run.

    The mean of each block of pixels stays that of the small image's pixel.
    A run of superres was trained to do so; others were trained to draw, and know of the small image in each step.
    """

    done: ClassVar[str] = "enlarged"

    factor: Annotated[int | None, by_default("N", "2, or what a run of superres was trained for")] = None
    """How many times wider and higher; the image is first brought to the run's size divided by this."""
    label: Told = None
    """What the image shows, for a run with classes."""


@configure(FlagCreatePairsOff)
@dataclass(frozen=True, kw_only=True)
class Edit(Restore):
    """Change what an image shows, and keep its looks.

    Noise is added to it, and taken away again towards another class.
    """

    done: ClassVar[str] = "edited"

    label: Annotated[str, arg(metavar="CLASS")]
    """What the image is to show."""
    strength: Annotated[float, arg(metavar="X")] = 0.8
    """How much is changed, above 0 and at most 1: at 1 nothing is kept, below 0.5 the class hardly changes."""


COMMANDS = {
    "inpaint": Command(Inpaint, "torchworks.diffusion.restore.use:inpaint"),
    "enlarge": Command(Enlarge, "torchworks.diffusion.dispatch:enlarge"),
    "edit": Command(Edit, "torchworks.diffusion.restore.use:edit"),
}
