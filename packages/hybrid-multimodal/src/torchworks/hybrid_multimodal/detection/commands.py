"""Command-line arguments of detection. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Images, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Detect:
    """Print the objects of images, draw their boxes, and show where each query looked, by a run of `detr`.

    Files that cannot be read are named at the end, once all others are done.
    """

    run: Run
    images: Images
    least_score: float = 0.5
    """Minimum score of the objects to keep."""
    out: Annotated[Path | None, by_default("DIR", "RUN/predictions")] = None
    """Folder for the images with boxes drawn into them, beside where the query of each object looked."""
    csv: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also write a table of the objects."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"detect": Command(Detect, "torchworks.hybrid_multimodal.detection.use:detect")}
