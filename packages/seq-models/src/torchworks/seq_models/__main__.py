"""The command line `seq-models`. Imports no torch until a command runs."""

from torchworks.seq_models.commands import COMMANDS
from torchworks.shared import cli

main = cli.program("seq-models", default="classify-text", commands=COMMANDS)

if __name__ == "__main__":
    main()
