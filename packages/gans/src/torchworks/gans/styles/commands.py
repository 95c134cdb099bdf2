"""Commands for runs of StyleGAN2. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, Seed


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Project:
    """Find the image of a StyleGAN2 run that is most like yours.

    What is found are w and noise. Images are cropped at their middle to a square and brought to the size of the run.
    The distance is that of pixels, at full size and each time halved: a perceptual one (LPIPS) needs weights that
    cannot be fetched here.
    """

    run: Run
    images: Annotated[tuple[Path, ...], Positional, arg(metavar="IMAGES", help_behavior_hint="")]
    """Image files, or folders of them."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the results: NAME.png (the image, its projection, that with the run's own noise) and
    NAME.safetensors (w and noise)."""
    steps: Annotated[int, arg(metavar="N")] = 300
    """Steps of the search."""
    seed: Seed = 0
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"project": Command(Project, "torchworks.gans.styles.project:project")}
