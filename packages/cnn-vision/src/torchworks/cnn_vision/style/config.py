"""Configuration of the recipes of style transfer. Imports no torch."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.shared.config import Amount, Config, Count, CountOrZero, ImageConfig, UserError


@dataclass(frozen=True)
class FeaturesConfig(Config):
    """The small feature net that replaces VGG-19."""

    package: ClassVar[str] = "cnn-vision"
    build: ClassVar[str] = "torchworks.cnn_vision.style.build:build_features"

    loader: ImageConfig = field(default_factory=ImageConfig)
    data: str = "photos"
    """Source of the photographs whose parts the net learns to classify; photos is the only one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data != "photos":
            raise UserError(
                f"The feature net is trained on --data photos only, because it learns to classify parts of those "
                f"photographs; {self.data} was given. To use a net trained on other data, pass it to the other recipes "
                "by --features."
            )


@dataclass(frozen=True)
class StyleConfig(Config):
    """Options of both recipes of style transfer."""

    package: ClassVar[str] = "cnn-vision"

    loader: ImageConfig = field(default_factory=ImageConfig)
    features: str = ""
    """Weights of the feature net: vgg19 (ImageNet's, a download of 548 MB), a file of them, or a run of the recipe
    features. Default: a small VGG, trained on bundled photographs once and kept."""
    style_weight: Amount = 10.0
    """Weight of the style loss relative to the content loss."""
    smoothness: Amount = 2.0
    """Weight of the total variation, which penalizes differences between neighbouring pixels."""
    size: int = 256
    """Height and width of the images that the served model takes; `stylize` takes any size."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("size", self.size), ("loader.image-size", self.loader.image_size)):
            if value < 32 or value % 8:
                raise UserError(f"--{name} must be a multiple of 8, at least 32, but it is {value}.")
        if self.loader.channels == 1:
            raise UserError("--loader.channels is 1, but style transfer needs color images; remove the option.")


@dataclass(frozen=True)
class FastConfig(StyleConfig):
    """A net for one style."""

    build: ClassVar[str] = "torchworks.cnn_vision.style.build:build_fast"

    style: str = "ihc"
    """The style: an image file, or the name of a bundled photograph or texture, such as ihc, hubble_deep_field or
    brick."""
    style_size: Count = 256
    """Pixels of the shorter side of the style image: smaller means finer strokes."""
    width: Count = 16
    """Channels of the first layer; the middle has four times as many."""
    blocks: CountOrZero = 3
    """Residual blocks in the middle."""


@dataclass(frozen=True)
class AdainConfig(StyleConfig):
    """A net for any style."""

    build: ClassVar[str] = "torchworks.cnn_vision.style.build:build_adain"

    styles: str = "styles"
    """Source of the style images of the training, such as folder:PATH."""
