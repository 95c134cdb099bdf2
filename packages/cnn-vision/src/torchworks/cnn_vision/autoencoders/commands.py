"""The commands `draw` and `restore`. Import no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command

Run = Annotated[Path, Positional, arg(metavar="RUN", help="Directory of a finished run, as `train` printed it last.")]
Device = Annotated[str, arg(help="auto, cpu, cuda, cuda:N or mps.")]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Draw:
    """Draw new images by a run of the recipe vae.

    Image i of a seed is always the same image, however many are drawn.
    """

    run: Run
    n: Annotated[int, arg(metavar="N")] = 64
    """How many images."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """Another seed, other images."""
    out: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: RUN/drawn.png)")] = None
    """Picture to write, .png or .jpg."""
    overwrite: bool = False
    """Replace FILE if it is there."""
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Restore:
    """Put images through a run of autoencoder, denoise or vae, and write what comes back."""

    run: Run
    images: Annotated[tuple[Path, ...], Positional, arg(metavar="IMAGES", help_behavior_hint="")]
    """Image files, or folders of them."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the results, PNG files named after the images."""
    overwrite: bool = False
    """Replace files of the same names in DIR; images that are read are never replaced."""
    device: Device = "auto"


COMMANDS = {
    "draw": Command(Draw, "torchworks.cnn_vision.autoencoders.use:draw"),
    "restore": Command(Restore, "torchworks.cnn_vision.autoencoders.use:restore"),
}
