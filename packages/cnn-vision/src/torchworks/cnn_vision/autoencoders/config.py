"""Configuration of the recipes of autoencoders. Imports no torch."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.cnn_vision.config import Augmentation
from torchworks.shared.config import Amount, Config, Count, ImageConfig, UserError

SMALLEST = 7
"""Pixels along the smallest map of the net, at most."""


@dataclass(frozen=True)
class CodeConfig(Config):
    """Options of every autoencoder."""

    package: ClassVar[str] = "cnn-vision"

    loader: ImageConfig = field(default_factory=ImageConfig)
    code: Count = 8
    """Dimensions of the code of an image."""
    width: Count = 16
    """Channels of the first layer; each halving of the map doubles them, up to four times as many."""
    augment: tuple[Augmentation, ...] = ()
    """Random augmentations of the training images. No flip for digits and letters."""
    weight_decay: Amount = 0.0
    """Decoupled weight decay, not applied to norms and biases."""

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.loader.image_size
        while size > SMALLEST and size % 2 == 0:
            size //= 2
        if not 2 <= size <= SMALLEST:
            raise UserError(
                f"--loader.image-size is {self.loader.image_size}, but it must be 2 to {SMALLEST} times a power of "
                f"two, such as 16, 24, 28, 32, 64 or 128, since the net halves it until at most {SMALLEST} remain."
            )


@dataclass(frozen=True)
class AutoencoderConfig(CodeConfig):
    """A net that compresses images to a code and restores them."""

    build: ClassVar[str] = "torchworks.cnn_vision.autoencoders.build:build_autoencoder"

    noise: Amount = 0.0
    """Standard deviation of the noise added to the input images, whose pixels are from 0 to 1."""


@dataclass(frozen=True)
class VAEConfig(CodeConfig):
    """A variational autoencoder: its code is normally distributed, so images can be sampled."""

    build: ClassVar[str] = "torchworks.cnn_vision.autoencoders.build:build_vae"

    beta: Amount = 1.0
    """Weight of the KL divergence (1: a VAE, more: a β-VAE)."""
    exports: Literal["sampler", "reconstruction"] = "sampler"
    """The model of the run: sampler generates images from codes; reconstruction restores an image and returns its code.
    The other one is saved in the run's folder of that name."""
