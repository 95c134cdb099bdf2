"""Sizes of the nets that swap faces and detect swapped ones. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import ClassVar

from torchworks.shared.config import Count, Limited


@dataclass(frozen=True)
class FaceSwapNet(Limited):
    """Sizes of the autoencoder."""

    group: ClassVar[str] = "net"

    width: Count = 16
    """Channels at half size, doubled at smaller ones."""
    latent_dim: Count = 48
    """Numbers that describe a face; few, so that there is no room for who it is."""


@dataclass(frozen=True)
class Meso4Net(Limited):
    """Sizes of the detector."""

    group: ClassVar[str] = "net"

    width: Count = 8
    """Channels of the first two convolutions; the last two have twice as many."""
    hidden_dim: Count = 16
    """Numbers before the logit."""
