"""The command line `cnn-vision`, also `python -m torchworks.cnn_vision`. Imports no torch until a command runs."""

import sys


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    from torchworks.cnn_vision.commands import COMMANDS
    from torchworks.shared import cli

    sys.exit(cli.main("cnn-vision", default="classify", commands=COMMANDS))


if __name__ == "__main__":
    main()
