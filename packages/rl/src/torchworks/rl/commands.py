"""The commands of this package: those of all its jobs. Imports no torch, so that `--help` is quick."""

COMMANDS = {}
