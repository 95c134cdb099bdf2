"""The command line `gans`, also `python -m torchworks.gans`. Imports no torch until a command runs."""

from torchworks.gans.commands import COMMANDS
from torchworks.shared import cli

main = cli.program("gans", default="cgan-mnist", commands=COMMANDS)

if __name__ == "__main__":
    main()
