"""Command-line arguments of `draw` and `restore`. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, Seed, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Draw:
    """Sample new images from a `vae` run.

    Image i of a seed is always the same, however many are sampled.
    """

    run: Run
    n: Annotated[int, arg(metavar="N")] = 64
    """Number of images."""
    seed: Seed = 0
    out: Annotated[Path | None, by_default("FILE", "RUN/drawn.png")] = None
    """Image to write, .png or .jpg: a grid of the samples."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Restore:
    """Pass images through a run of autoencoder, denoise or vae, and write the reconstructions."""

    run: Run
    images: Annotated[tuple[Path, ...], Positional, arg(metavar="IMAGES", help_behavior_hint="")]
    """Image files, or folders of them."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the results, PNG files named after the images, which are never replaced."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "draw": Command(Draw, "torchworks.cnn_vision.autoencoders.use:draw"),
    "restore": Command(Restore, "torchworks.cnn_vision.autoencoders.use:restore"),
}
