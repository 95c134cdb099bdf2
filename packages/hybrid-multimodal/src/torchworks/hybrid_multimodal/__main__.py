"""The command line `hybrid-multimodal`. Imports no torch until a command runs."""

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.shared import cli

main = cli.program("hybrid-multimodal", default="recommend", commands=COMMANDS)

if __name__ == "__main__":
    main()
