"""The recipes of style transfer."""

from torchworks.cnn_vision.style.config import AdainConfig, FastConfig, FeaturesConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def features() -> FeaturesConfig:
    """The small VGG that stands in for ImageNet's: it tells parts of bundled photographs apart.

    cnn-vision train features
    """
    return FeaturesConfig(
        recipe="features",
        data="photos",
        loader=LoaderConfig(image_size=48),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=48),
    )


def style_fast() -> FastConfig:
    """A net that paints photographs in one style, in one pass.

    cnn-vision train style-fast --style ihc
    """
    return FastConfig(
        recipe="style-fast",
        data="photos",
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=1e-3, schedule="cosine"),
        trainer=TrainerConfig(steps=400, batch_size=2),
    )


def style_adain() -> AdainConfig:
    """A net that paints photographs in any style, which it takes from one image.

    cnn-vision train style-adain
    """
    return AdainConfig(
        recipe="style-adain",
        data="photos",
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=1e-3, schedule="cosine"),
        trainer=TrainerConfig(steps=400, batch_size=2),
    )
