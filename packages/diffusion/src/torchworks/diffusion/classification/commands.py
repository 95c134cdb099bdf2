"""Command-line arguments of classification. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Images, Run


@dataclass(frozen=True)
class Predict:
    """Print the most probable class of each image."""

    run: Run
    images: Images
    device: Device = "auto"


COMMANDS = {"predict": Command(Predict, "torchworks.diffusion.classification.use:predict")}
