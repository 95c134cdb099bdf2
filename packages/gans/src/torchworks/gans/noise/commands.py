"""Commands for runs that draw images from noise. Imports no torch, so that `--help` is quick."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, arg, configure

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
    """Leave out the grid, the image that shows all of them."""
    files: bool = False
    """Also write each image to a file of its own, at its own size."""
    columns: Annotated[int | None, by_default("N", "nearly a square, or a column for each class")] = None
    """Images in a row of the grid."""
    interpolate: Annotated[int, by_default("STEPS", "no film")] = 0
    """Draw a film (GIF) instead: each image turns into three others and back, in this many steps each."""
    truncation: Annotated[float, by_default("PSI", "1")] = 1.0
    """For a run with styles (stylegan2): how far from the mean image, 0 to 1; less is more typical and less varied."""
    threshold: Annotated[float, by_default("T", "none")] = math.inf
    """Draw latent numbers from −T to T only (BigGAN's truncation trick): less is more typical and less varied."""
    mix: bool = False
    """For a run with styles: draw a table instead, images with the coarse styles of a row and the fine ones of a
    column; --columns is how many, and --n of all."""
    mix_from: Annotated[int | None, by_default("LAYER", "half of the layers")] = None
    """First layer that has the column's style in that table."""
    overwrite: bool = False
    """Replace files of the same names in DIR; in RUN/generated they always are."""
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


COMMANDS = {
    "sample": Command(Sample, "torchworks.gans.noise.sample:sample"),
    "augment": Command(Augment, "torchworks.gans.noise.augment:augment"),
}
