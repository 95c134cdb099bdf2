"""Sizes of nets. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import ClassVar

from torchworks.shared.config import Count, Limited, Positive, Share


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
class ConditionalUNetConfig(UNetConfig):
    """Sizes of a U-Net that reads a text."""

    attention: tuple[bool, ...] = ()
    """For each level, whether its pixels look at each other and at the text; all do if nothing is given."""
    mid_attention: bool = True
    """Whether the pixels of the coarsest level look at each other and at the text once more."""
    head_dim: Count = 16
    """Channels of a head of attention."""
    depth: Count = 1
    """Transformer layers after each residual block of a level with attention."""
    positions: bool = True
    """Whether pixels that look know where they are, by a learned map for the image size trained on."""
    linear_projection: bool = True
    """Linear layers, not 1 × 1 convolutions, before and after attention: the same to a net trained anew, and
    quicker."""


@dataclass(frozen=True)
class DiTConfig(Limited):
    """Sizes of a DiT."""

    group: ClassVar[str] = "net"

    patch_size: Count = 2
    """Height and width in pixels of a patch, which is one token."""
    embed_dim: Count = 128
    """Channels of a token."""
    depth: Count = 4
    """Transformer layers."""
    num_heads: Count = 4
    """Heads of attention."""
    mlp_ratio: Count = 4
    """How many times wider than a token the MLP is inside."""
    dropout: Share = 0.0
    """Dropout after attention and within the MLP."""


@dataclass(frozen=True)
class AutoencoderConfig(Limited):
    """Sizes of an autoencoder."""

    group: ClassVar[str] = "net"

    latent_channels: Count = 4
    """Channels of the latents."""
    widths: tuple[Count, ...] = (16, 32, 32)
    """Channels of each level; each is half as wide and high as the one before, and the latents are as the last."""
    layers: Count = 1
    """Residual blocks of a level of the encoder; the decoder has one more."""
    mid_attention: bool = True
    """Whether the pixels of the coarsest level look at each other."""
    groups: Count = 8
    """Groups of normalization; must divide all widths."""


@dataclass(frozen=True)
class TextEncoderConfig(Limited):
    """Sizes of the encoder of texts."""

    group: ClassVar[str] = "text"

    embed_dim: Count = 64
    """Channels of a token."""
    depth: Count = 2
    """Transformer layers."""
    num_heads: Count = 4
    """Heads of attention."""
    ff_dim: Count | None = None
    """Channels within the MLP of a layer; four times the token's if not given."""
    dropout: Share = 0.0
    """Dropout of tokens, after attention, and within the MLP and after it."""
    token_std: Positive = 0.02
    """Standard deviation that the vectors of tokens and positions start with."""
    zero_output: bool = False
    """Whether layers start by adding nothing, so that a net reads each word by itself before it learns what they mean
    together. Otherwise words start nearly alike: what layers add to all of them is larger than what tells them
    apart."""
