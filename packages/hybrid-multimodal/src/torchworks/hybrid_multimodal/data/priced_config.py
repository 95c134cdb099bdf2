"""How tables with pictures are read. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass

from torchworks.shared.config import ImageConfig


@dataclass(frozen=True)
class PricedConfig(ImageConfig):
    """How the data get to the device."""

    target: str = "price"
    """Of priced:FILE.csv: the column to be told."""
    picture: str = "image"
    """Of priced:FILE.csv: the column with the paths of pictures, from the file's own folder or absolute."""
