"""Commands for runs that draw images from noise. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, Seed, by_default
from torchworks.shared.sampler_names import GridName, SamplerName


@dataclass(frozen=True)
class Drawing:
    """How images are drawn; what is not given is as the run was trained."""

    steps: Annotated[int | None, by_default("N", "the run's own")] = None
    """Steps from noise to image."""
    guidance: Annotated[float | None, by_default("X", "the run's own")] = None
    """How much more than the condition asks for is done; 1 is no more."""
    sampler: Annotated[SamplerName | None, by_default("NAME", "the run's own")] = None
    """Method by which noise becomes an image."""
    grid: Annotated[GridName | None, by_default("NAME", "the run's own")] = None
    """How the noise levels of its steps are spaced."""


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Sample:
    """Draw new images from a run: in a grid, as files, or as a film of how noise becomes images.

    Image i of a seed is always the same image, however many are drawn.
    """

    run: Run
    n: Annotated[int, arg(metavar="N")] = 64
    """How many images."""
    seed: Seed = 0
    labels: Annotated[tuple[str, ...], by_default("CLASS", "all, in turn")] = ()
    """Classes to draw, for a run with classes."""
    prompt: Annotated[tuple[str, ...], by_default("TEXT", "captions of the test data")] = ()
    """Texts to draw, for a run with captions; each in quotation marks, drawn in turn."""
    drawing: OmitArgPrefixes[Drawing] = Drawing()
    out: Annotated[Path | None, by_default("DIR", "RUN/generated")] = None
    """Folder to write to."""
    no_grid: bool = False
    """Leave out the grid, the image that shows all of them."""
    files: bool = False
    """Also write each image to a file of its own, at its own size."""
    film: bool = False
    """Also write a film (GIF): on the left what is left of the noise, on the right the image that the net
    predicts."""
    columns: Annotated[int | None, by_default("N", "nearly a square, or a column for each class")] = None
    """Images in a row of the grid."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Evaluate:
    """Score a run again, beside what real images score; look for copies.

    Writes evaluation.json, copies.png, generated images above the training images most like them, and loss.png, the
    loss at each level of noise. With --sweep also sweep.csv, the distance for each sampler and number of steps.

    Of a run with captions it counts the images that show what their captions say, and writes samples.png.
    """

    run: Run
    n: Annotated[int | None, by_default("N", "as many as there are test images")] = None
    """Images to draw."""
    seed: Annotated[int | None, by_default("N", "the run's own")] = None
    """Random seed; change it for different images."""
    drawing: OmitArgPrefixes[Drawing] = Drawing()
    sweep: bool = False
    """Also score every sampler with 1, 2, 4, 8 and 16 steps, which takes some minutes."""
    restore: bool = False
    """Instead, score what inpaint, enlarge and edit make of 200 test images, or of --n; writes restore.json and
    restored.png."""
    out: Annotated[Path | None, by_default("DIR", "RUN/evaluation")] = None
    """Folder to write to."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Copies:
    """Look for copies: which training images are most like drawn ones, and how near.

    A share near 0.05 is that of real test images; far above it, the model repeats what it was trained on.
    """

    run: Run
    n: Annotated[int, arg(metavar="N")] = 1000
    """Images to draw and look at."""
    seed: Seed = 0
    drawing: OmitArgPrefixes[Drawing] = Drawing()
    out: Annotated[Path | None, by_default("FILE", "RUN/copies.png")] = None
    """Picture to write: the drawn images nearest to training images, with these below."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "sample": Command(Sample, "torchworks.diffusion.dispatch:sample"),
    "evaluate": Command(Evaluate, "torchworks.diffusion.dispatch:evaluate"),
    "copies": Command(Copies, "torchworks.diffusion.images.evaluate:copies"),
}
