"""The command line `rl`. Imports no torch until a command runs."""

from torchworks.rl.commands import COMMANDS
from torchworks.shared import cli

main = cli.program("rl", default="ppo", commands=COMMANDS)

if __name__ == "__main__":
    main()
