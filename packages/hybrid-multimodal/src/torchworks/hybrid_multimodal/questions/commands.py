"""Command-line arguments of question answering. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Ask:
    """Ask a question about an image and, with --out, see where the model looked."""

    run: Run
    image: Annotated[Path, Positional, arg(metavar="IMAGE", help_behavior_hint="")]
    """An image file."""
    question: Annotated[str, Positional, arg(metavar="QUESTION", help_behavior_hint="")]
    """Such as "what color is the seven?"."""
    top: int = 3
    """Answers to print."""
    out: Annotated[Path | None, by_default("FILE", "no picture")] = None
    """Draw the image with what speaks for the answer lit up, into this image file."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"ask": Command(Ask, "torchworks.hybrid_multimodal.questions.use:ask")}
