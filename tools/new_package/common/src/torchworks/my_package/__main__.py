"""The command line `my-package`. Imports no torch until a command runs."""

from torchworks.my_package.commands import COMMANDS
from torchworks.shared import cli

main = cli.program("my-package", default="classify", commands=COMMANDS)

if __name__ == "__main__":
    main()
