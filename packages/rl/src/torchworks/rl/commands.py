"""The commands of this package: those of all its jobs. Imports no torch, so that `--help` is quick."""

from torchworks.rl.inference.commands import COMMANDS as INFERENCE

COMMANDS = {**INFERENCE}
