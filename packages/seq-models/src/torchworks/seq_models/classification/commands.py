"""Command-line arguments of classification. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Run


@dataclass(frozen=True)
class Predict:
    """Print the most probable class of each text."""

    run: Run
    texts: Annotated[tuple[str, ...], Positional, arg(metavar="TEXTS", help_behavior_hint="")]
    """Texts, each in quotation marks."""
    device: Device = "auto"


COMMANDS = {"predict": Command(Predict, "torchworks.seq_models.classification.use:predict")}
