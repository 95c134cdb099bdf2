"""What the commands of this package can be told. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Run, Seed, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Sample:
    """Draw new images from a run: in a grid, as files, or as a film.

    Image i of a seed is always the same image, however many are drawn.
    """

    run: Run
    n: Annotated[int, arg(metavar="N")] = 64
    """How many images."""
    seed: Seed = 0
    labels: Annotated[tuple[str, ...], by_default("CLASS", "all, in turn")] = ()
    """Classes to draw, for a run with classes."""
    out: Annotated[Path | None, by_default("DIR", "RUN/generated")] = None
    """Folder to write to."""
    no_grid: bool = False
    """Leave out the grid, the one picture with all images."""
    files: bool = False
    """Also write each image to a file of its own, at its own size."""
    columns: Annotated[int | None, by_default("N", "nearly a square, or a column for each class")] = None
    """Images in a row of the grid."""
    interpolate: Annotated[int, by_default("STEPS", "no film")] = 0
    """Draw a film (GIF) instead: each image turns into three others and back, in so many steps each."""
    overwrite: bool = False
    """Replace files of the same names in DIR."""
    device: Device = "auto"


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


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Augment:
    """Write a labelled folder of generated images, to train on.

    A run with classes draws the classes; for one without, a classifier of the run's data reads them.

    The folder is ready for --data folder:DIR.
    """

    run: Run
    per_class: Annotated[int, arg(metavar="N")]
    """Images of each class."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder to make, new or empty."""
    seed: Seed = 0
    confidence: Annotated[float | None, by_default("P", "0 if the run has classes, else 0.9")] = None
    """Keep only images that the classifier reads as their class with at least this probability."""
    check: bool = False
    """Also train a classifier on DIR alone and one on the real images, and test both on real images."""
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Evaluate:
    """Score a run again, beside what real images score; look for copies.

    Writes evaluation.json and copies.png: generated images above the training images most like them.
    """

    run: Run
    n: Annotated[int | None, by_default("N", "as many as there are test images")] = None
    """Images to generate."""
    seed: Annotated[int | None, by_default("N", "the run's own")] = None
    """Another seed, other images."""
    no_cas: bool = False
    """For a run with classes, leave out the classifier that learns from generated images."""
    out: Annotated[Path | None, by_default("DIR", "RUN/evaluation")] = None
    """Folder to write to."""
    device: Device = "auto"


COMMANDS = {
    "sample": Command(Sample, "torchworks.gans.noise.sample:sample"),
    "translate": Command(Translate, "torchworks.gans.translation.use:translate"),
    "augment": Command(Augment, "torchworks.gans.noise.augment:augment"),
    "evaluate": Command(Evaluate, "torchworks.gans.noise.evaluate:evaluate"),
}
