"""Sizes of nets. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import ClassVar

from torchworks.shared.config import Count, Limited, Share


@dataclass(frozen=True)
class UNetConfig(Limited):
    """Sizes of a U-Net."""

    group: ClassVar[str] = "net"

    widths: tuple[Count, ...] = (32, 64)
    """Channels of each level; each is half as wide and high as the one before."""
    layers: Count = 1
    """Residual blocks of a level."""
    attention: tuple[bool, ...] = ()
    """For each level, whether its pixels look at each other; none do if nothing is given."""
    mid_attention: bool = False
    """Whether the pixels of the coarsest level look at each other once more."""
    head_dim: Count = 8
    """Channels of a head of attention."""
    dropout: Share = 0.0
    """Dropout within residual blocks."""
    fold: Count = 2
    """This many pixels side by side become channels of one, before the first convolution."""


@dataclass(frozen=True)
class ConditionalUNetConfig(Limited):
    """Sizes of a U-Net that reads a text."""

    group: ClassVar[str] = "net"

    widths: tuple[Count, ...] = (32, 64)
    """Channels of each level; each is half as wide and high as the one before."""
    layers: Count = 1
    """Residual blocks of a level."""
    attention: tuple[bool, ...] = ()
    """For each level, whether its pixels look at each other and at the text; all do if nothing is given."""
    mid_attention: bool = True
    """Whether those of the coarsest level do so once more."""
    head_dim: Count = 16
    """Channels of a head of attention."""
    dropout: Share = 0.0
    """Dropout within residual blocks."""
    fold: Count = 2
    """This many pixels side by side become channels of one, before the first convolution."""


@dataclass(frozen=True)
class TextEncoderConfig(Limited):
    """Sizes of a text encoder."""

    group: ClassVar[str] = "text"

    embed_dim: Count = 64
    """Channels of a token."""
    depth: Count = 2
    """Layers of attention."""
    num_heads: Count = 4
    """Heads of each."""
    dropout: Share = 0.0
    """Dropout within its layers."""
