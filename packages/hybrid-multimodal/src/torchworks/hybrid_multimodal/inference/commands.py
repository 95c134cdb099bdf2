"""Command-line arguments that several jobs have in common. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Evaluate:
    """Score a model on the test part of its data, beside simpler models.

    Writes evaluation.json.
    """

    run: Run
    out: Annotated[Path | None, by_default("DIR", "RUN/evaluation")] = None
    """Folder to write to."""
    overwrite: Overwrite = False


COMMANDS = {"evaluate": Command(Evaluate, "torchworks.hybrid_multimodal.inference.dispatch:evaluate")}
