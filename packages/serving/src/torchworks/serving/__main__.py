"""The command line `serving`, also `python -m torchworks.serving`. Imports no web server until a command runs."""

import gc

OBJECTS = 100_000
"""So many new objects Python shall make before it looks for garbage. With its own 700 it looks hundreds of times while
modules are imported, none of which ever is garbage, and spends a tenth of the start on that."""


def main() -> None:
    """Run the command that the arguments name and exit with its code."""
    gc.set_threshold(OBJECTS, 20, 100)
    from torchworks.serving.commands import COMMANDS
    from torchworks.shared import cli

    cli.program("serving", default=None, commands=COMMANDS)()


if __name__ == "__main__":
    main()
