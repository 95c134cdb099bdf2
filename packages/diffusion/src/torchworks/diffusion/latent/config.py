"""Configuration of latent diffusion. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.diffusion.images.config import ImagesConfig
from torchworks.diffusion.models.config import AutoencoderConfig, UNetConfig
from torchworks.shared.config import Amount, Count, CountOrZero, Positive


@dataclass(frozen=True)
class AutoencoderTraining(AutoencoderConfig):
    """The autoencoder, which is trained first."""

    group: ClassVar[str] = "autoencoder"

    widths: tuple[Count, ...] = (8, 16, 16)
    """Channels of each level; each is half as wide and high as the one before, and the latents are as the last."""
    mid_attention: bool = False
    """Whether the pixels of the coarsest level look at each other."""
    groups: Count = 4
    """Groups of normalization; must divide all widths."""
    kl_weight: Amount = 1e-4
    """How much the pull of the latents towards a standard normal distribution counts, beside the mean absolute
    error."""
    lr: Positive = 3e-3
    """Learning rate, which falls to 0 in a line."""
    steps: CountOrZero = 400
    """Training steps."""
    batch_size: Count = 32
    """Images of a step."""


@dataclass(frozen=True)
class LatentConfig(ImagesConfig):
    """A diffusion model of an autoencoder's latents."""

    build: ClassVar[str] = "torchworks.diffusion.latent.build:build"

    net: UNetConfig = field(default_factory=lambda: UNetConfig(fold=1))
    autoencoder: AutoencoderTraining = field(default_factory=AutoencoderTraining)
