"""The command line `diffusion`. Imports no torch until a command runs."""

from torchworks.diffusion.commands import COMMANDS
from torchworks.shared import cli

main = cli.program("diffusion", default="flow", commands=COMMANDS)

if __name__ == "__main__":
    main()
