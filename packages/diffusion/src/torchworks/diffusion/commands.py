"""The commands of this package: those of all its jobs. Imports no torch, so that `--help` is quick."""

from torchworks.diffusion.images.commands import COMMANDS as IMAGES
from torchworks.diffusion.models.commands import COMMANDS as MODELS
from torchworks.diffusion.restore.commands import COMMANDS as RESTORE

COMMANDS = {**IMAGES, **RESTORE, **MODELS}
