"""Configuration of BigGAN. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.gans.models.config import BigGANNet
from torchworks.gans.noise.config import GanConfig
from torchworks.shared.config import Amount


@dataclass(frozen=True)
class BigGANConfig(GanConfig):
    """BigGAN (Brock et al. 2019)."""

    build: ClassVar[str] = "torchworks.gans.big.build:build"

    net: BigGANNet = field(default_factory=BigGANNet)
    orthogonal: Amount = 1e-4
    """β of the penalty on the generator's weights that are not orthogonal to each other (0: none)."""
