"""The commands of this package: those of all its jobs. Imports no torch, so that `--help` is quick."""

from torchworks.shared import cli

COMMANDS: dict[str, cli.Command] = {}
