"""The command line `cnn-vision`, also `python -m torchworks.cnn_vision`. Imports no torch until a command runs."""

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared import cli

main = cli.program("cnn-vision", default="classify", commands=COMMANDS)

if __name__ == "__main__":
    main()
