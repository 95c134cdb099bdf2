"""The command of detectors. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Images, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Detect:
    """Say whether faces look swapped, by a run of swap-detector.

    It learnt from swaps without marks, and may take marked ones for real: ask `gans provenance` about those first. Of
    faces and nets that it has not learnt from it knows little, as the scores of the run say.
    """

    run: Run
    images: Images
    csv: Annotated[Path | None, by_default("FILE", "no table")] = None
    """Also write a table."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"detect": Command(Detect, "torchworks.gans.detecting.use:detect")}
"""The command `detect`."""
