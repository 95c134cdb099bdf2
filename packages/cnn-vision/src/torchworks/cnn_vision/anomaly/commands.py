"""The command `inspect`. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Inspect:
    """Say which images are defective and where, by a finished run of the recipe anomaly.

    Without IMAGES: the run's test images, the good ones that look worst and the defective ones that look best.
    """

    run: Annotated[Path, Positional, arg(metavar="RUN", help="Directory of a finished run.")]
    images: Annotated[
        tuple[Path, ...], Positional, arg(metavar="IMAGES", help_behavior_hint="(default: the run's test images)")
    ] = ()
    """Image files, or folders of them."""
    n: Annotated[int, arg(metavar="N")] = 12
    """How many images to draw, the most suspicious first."""
    out: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: RUN/heat.png)")] = None
    """Picture with the heat maps, .png or .jpg."""
    overwrite: bool = False
    """Replace FILE if it is there."""
    device: Annotated[str, arg(help="auto, cpu, cuda, cuda:N or mps.")] = "auto"


COMMANDS = {"inspect": Command(Inspect, "torchworks.cnn_vision.anomaly.use:inspect")}
