"""Command-line arguments of `inspect`. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Inspect:
    """Classify images as good or defective, and draw where the defects are, with a run of the recipe anomaly.

    Without IMAGES: the run's test images, the good ones of the highest score and the defective ones of the lowest.
    """

    run: Run
    images: Annotated[tuple[Path, ...], Positional, by_default("IMAGES", "the run's test images")] = ()
    """Image files, or folders of them."""
    n: Annotated[int, arg(metavar="N")] = 12
    """Number of images to draw, the highest scores first."""
    out: Annotated[Path | None, by_default("FILE", "RUN/heat.png")] = None
    """Image with the heat maps, .png or .jpg."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"inspect": Command(Inspect, "torchworks.cnn_vision.anomaly.use:inspect")}
