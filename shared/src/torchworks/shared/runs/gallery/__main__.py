"""The program that `make gallery` starts."""

import sys

from torchworks.shared.cli import Command, main
from torchworks.shared.runs.gallery.commands import Gallery

if __name__ == "__main__":
    command = Command(Gallery, "torchworks.shared.runs.gallery.use:run")
    sys.exit(main("torchworks", None, {"gallery": command}, ["gallery", *sys.argv[1:]]))
