"""Commands that restore and change a user's images. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, Seed, by_default

Image = Annotated[
    Path, Positional, arg(metavar="IMAGE", help="Image file; it is cropped to a square of the run's size.")
]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Inpaint:
    """Fill a hole in an image. No pixel outside of the hole is changed."""

    run: Run
    image: Image
    mask: Annotated[Path | None, by_default("FILE", "none")] = None
    """Image as large as the first, white where the hole is."""
    box: Annotated[tuple[int, int, int, int] | None, by_default("X Y WIDTH HEIGHT", "none")] = None
    """The hole in pixels of the run's size, from the upper left corner; instead of --mask."""
    label: Annotated[str | None, by_default("CLASS", "not told")] = None
    """What the image shows, for a run with classes."""
    n: Annotated[int, arg(metavar="N")] = 4
    """How many different fillings to draw."""
    steps: Annotated[int, arg(metavar="N")] = 12
    """Steps from noise to image."""
    resamplings: Annotated[int, arg(metavar="N")] = 3
    """How often each step is made, so that the filling fits; 1 takes a third of the time."""
    guidance: Annotated[float | None, by_default("X", "the run's own")] = None
    """How much more than the class asks for is done."""
    seed: Seed = 0
    out: Annotated[Path | None, by_default("FILE", "IMAGE-inpainted.png beside the image")] = None
    """Picture to write: the image with its hole, and the fillings."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Enlarge:
    """Enlarge an image to the size of the run. The mean of each block of pixels stays that of the small image's
    pixel."""

    run: Run
    image: Image
    factor: Annotated[int, arg(metavar="N")] = 2
    """How many times wider and higher; the image is first brought to the run's size divided by this."""
    label: Annotated[str | None, by_default("CLASS", "not told")] = None
    """What the image shows, for a run with classes."""
    n: Annotated[int, arg(metavar="N")] = 4
    """How many different enlargements to draw."""
    steps: Annotated[int, arg(metavar="N")] = 12
    """Steps from noise to image."""
    guidance: Annotated[float | None, by_default("X", "the run's own")] = None
    """How much more than the class asks for is done."""
    seed: Seed = 0
    out: Annotated[Path | None, by_default("FILE", "IMAGE-enlarged.png beside the image")] = None
    """Picture to write: the small image, and the enlargements."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Edit:
    """Change what an image shows, and keep its looks: noise is added to it, and taken away again towards another
    class."""

    run: Run
    image: Image
    label: Annotated[str, arg(metavar="CLASS")]
    """What the image is to show."""
    strength: Annotated[float, arg(metavar="X")] = 0.8
    """How much is changed, above 0 and at most 1: at 1 nothing is kept, below 0.5 the class hardly changes."""
    n: Annotated[int, arg(metavar="N")] = 4
    """How many different images to draw."""
    steps: Annotated[int, arg(metavar="N")] = 12
    """Steps from noise to image."""
    guidance: Annotated[float | None, by_default("X", "the run's own")] = None
    """How much more than the class asks for is done."""
    seed: Seed = 0
    out: Annotated[Path | None, by_default("FILE", "IMAGE-edited.png beside the image")] = None
    """Picture to write: the image, and the changed ones."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "inpaint": Command(Inpaint, "torchworks.diffusion.restore.use:inpaint"),
    "enlarge": Command(Enlarge, "torchworks.diffusion.restore.use:enlarge"),
    "edit": Command(Edit, "torchworks.diffusion.restore.use:edit"),
}
