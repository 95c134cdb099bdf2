"""Sizes of the nets that enlarge images. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torchworks.shared.config import Count, CountOrZero, Limited


@dataclass(frozen=True)
class SRResNetNet(Limited):
    """Sizes of SRResNet."""

    group: ClassVar[str] = "net"

    width: Count = 64
    """Channels."""
    blocks: CountOrZero = 16
    """Residual blocks."""
    outer_kernel: Literal[3, 5, 7, 9] = 9
    """Side of the first and the last kernel."""
    norm: bool = True
    """Batch normalization in the blocks, as in the paper."""
    skip: bool = False
    """Add bicubic interpolation, so that the net learns what that lacks."""


@dataclass(frozen=True)
class RRDBNetNet(Limited):
    """Sizes of ESRGAN's generator; the paper's fit the public weights."""

    group: ClassVar[str] = "net"

    width: Count = 64
    """Channels between the blocks."""
    blocks: CountOrZero = 23
    """Blocks of three dense blocks."""
    growth: Count = 32
    """Channels that each convolution of a dense block adds."""
    skip: bool = False
    """Add bicubic interpolation, so that the net learns what that lacks; without, as in the paper."""


@dataclass(frozen=True)
class EnlargingDiscriminatorNet(Limited):
    """The discriminator of enlarged images."""

    group: ClassVar[str] = "discriminator"

    kind: Literal["srgan", "unet"] = "srgan"
    """One logit for an image (SRGAN), or one for each pixel by a U-Net (Real-ESRGAN)."""
    width: Count = 64
    """Channels at full size, doubled at smaller ones."""
    norm: Literal["batch", "spectral", "none"] = "batch"
    """Normalization in SRGAN's; the U-Net always has spectral normalization."""


EnlargerNet = SRResNetNet | RRDBNetNet
