"""The command line `serving`, also `python -m torchworks.serving`. Imports no web server until a command runs."""

import sys


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    from torchworks.serving.commands import COMMANDS
    from torchworks.shared import cli

    sys.exit(cli.main("serving", default=None, commands=COMMANDS))


if __name__ == "__main__":
    main()
