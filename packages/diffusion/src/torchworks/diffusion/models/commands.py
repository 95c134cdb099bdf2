"""The command `models`. Imports no torch, so that `--help` is quick."""

from torchworks.shared.cli import Command
from torchworks.shared.models.commands import Models

COMMANDS = {"models": Command(Models, "torchworks.diffusion.models.parity_table:print_models")}
