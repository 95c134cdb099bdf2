"""The commands of this package: those of its jobs, and `evaluate`. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, configure

from torchworks.gans.codes.commands import COMMANDS as CODES
from torchworks.gans.detecting.commands import COMMANDS as DETECTING
from torchworks.gans.enlarging.commands import COMMANDS as ENLARGING
from torchworks.gans.noise.commands import COMMANDS as NOISE
from torchworks.gans.styles.commands import COMMANDS as STYLES
from torchworks.gans.swapping.commands import COMMANDS as SWAPPING
from torchworks.gans.translation.commands import COMMANDS as TRANSLATION
from torchworks.gans.wasserstein.commands import COMMANDS as WASSERSTEIN
from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


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
    """Random seed; change it for different images."""
    no_cas: bool = False
    """For a run with classes, leave out the classifier that learns from generated images."""
    out: Annotated[Path | None, by_default("DIR", "RUN/evaluation")] = None
    """Folder to write to."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    **NOISE,
    **STYLES,
    **CODES,
    **WASSERSTEIN,
    **TRANSLATION,
    **ENLARGING,
    **SWAPPING,
    **DETECTING,
    "evaluate": Command(Evaluate, "torchworks.gans.evaluate:evaluate"),
}
