"""The command line `gans`, also `python -m torchworks.gans`. Imports no torch until a command runs."""

import sys


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    from torchworks.gans.commands import COMMANDS
    from torchworks.shared import cli

    sys.exit(cli.main("gans", default="cgan-mnist", commands=COMMANDS))


if __name__ == "__main__":
    main()
