"""What the recipes of autoencoders can be told. Imports no torch."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torchworks.cnn_vision.config import Change, check_ranges
from torchworks.shared.config import Config, ImageConfig, UserError


@dataclass(frozen=True)
class CodeConfig(Config):
    """What every autoencoder has."""

    package: ClassVar[str] = "cnn-vision"
    loader: ImageConfig = field(default_factory=ImageConfig)

    code: int = 8
    """Numbers in the code of an image."""
    width: int = 16
    """Channels of the first layer; each halving of the map doubles them, up to four times as many."""
    augment: tuple[Change, ...] = ()
    """Random changes of the training images. No flip for digits and letters."""
    weight_decay: float = 0.0
    """Decoupled decay of the weights; norms and biases have none."""


@dataclass(frozen=True)
class AutoencoderConfig(CodeConfig):
    """A net that squeezes images through a code and restores them."""

    noise: float = 0.0
    """Standard deviation of the noise added to the images that go in, which range from 0 to 1."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.autoencoders.build import autoencoder_experiment

        return autoencoder_experiment(self)


@dataclass(frozen=True)
class VAEConfig(CodeConfig):
    """A net that draws images from a code that is normally distributed."""

    beta: float = 1.0
    """What the distance of the code's distribution from the prior counts (1: a VAE, more: a β-VAE)."""
    exports: Literal["sampler", "reconstruction"] = "sampler"
    """What the run's model does: sampler draws images from codes; reconstruction gives an image back, with its code.
    The other one is in the run's folder of that name."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.autoencoders.build import vae_experiment

        return vae_experiment(self)


def check_numbers(config: CodeConfig) -> None:
    """Raise `UserError` for a number that makes no sense."""
    infinite = float("inf")
    check_ranges(config, code=(1, infinite), width=(1, infinite), weight_decay=(0, infinite))
    if isinstance(config, VAEConfig):
        check_ranges(config, beta=(0, infinite))
    if isinstance(config, AutoencoderConfig):
        check_ranges(config, noise=(0, infinite))
    size = config.loader.image_size
    while size > 7 and size % 2 == 0:
        size //= 2
    if not 2 <= size <= 7:
        raise UserError(
            f"--loader.image-size is {config.loader.image_size}, but it must be 2 to 7 times a power of two, such "
            "as 16, 24, 28, 32, 64 or 128, since the net halves it until at most 7 remain."
        )
