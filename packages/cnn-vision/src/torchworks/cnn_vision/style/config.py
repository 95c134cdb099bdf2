"""What the recipes of style transfer can be told. Imports no torch."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torchworks.shared.config import Config, ImageConfig, UserError


@dataclass(frozen=True)
class FeaturesConfig(Config):
    """The small feature net that stands in for VGG-19."""

    package: ClassVar[str] = "cnn-vision"
    loader: ImageConfig = field(default_factory=ImageConfig)

    def experiment(self) -> Any:
        from torchworks.cnn_vision.style.pretext import features_experiment

        return features_experiment(self)


@dataclass(frozen=True)
class StyleConfig(Config):
    """What both recipes of style transfer have."""

    package: ClassVar[str] = "cnn-vision"
    loader: ImageConfig = field(default_factory=ImageConfig)

    features: str = ""
    """Weights of the feature net: vgg19 (ImageNet's, a download of 548 MB), a file of them, or a run of the recipe
    features. Default: a small stand-in, trained on bundled photographs once and kept."""
    style_weight: float = 10.0
    """What the distance in style counts beside the distance in content."""
    smoothness: float = 2.0
    """What the differences between neighbouring pixels count (total variation)."""
    size: int = 256
    """Pixels along the images that the finished model takes when it is served; `stylize` takes any size."""


@dataclass(frozen=True)
class FastConfig(StyleConfig):
    """A net that paints in one style."""

    style: str = "ihc"
    """The style: an image file, or the name of a bundled photograph or texture, such as ihc, hubble or brick."""
    style_size: int = 256
    """Pixels of the shorter side of the style image: smaller means finer strokes."""
    width: int = 16
    """Channels of the first layer; the middle has four times as many."""
    blocks: int = 3
    """Residual blocks in the middle."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.style.fast import fast_experiment

        return fast_experiment(self)


@dataclass(frozen=True)
class AdainConfig(StyleConfig):
    """A net that paints in any style."""

    styles: str = "styles"
    """Source of the style images of the training, such as folder:PATH."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.style.adain import adain_experiment

        return adain_experiment(self)


def check_style(config: StyleConfig) -> None:
    """Raise `UserError` for a number that makes no sense."""
    for name in ("style_weight", "smoothness"):
        value = getattr(config, name)
        if not 0 <= value < float("inf"):
            raise UserError(f"--{name.replace('_', '-')} must be 0 or more, and finite, but it is {value}.")
    for name, value in (("size", config.size), ("loader.image-size", config.loader.image_size)):
        if value < 32 or value % 8:
            raise UserError(f"--{name} must be a multiple of 8 from 32 on, but it is {value}.")
    if config.loader.channels == 1:
        raise UserError("--loader.channels is 1, but style transfer works on colour images; leave the option out.")
