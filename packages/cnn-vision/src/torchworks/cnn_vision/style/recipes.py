"""The recipes of style transfer."""

from torchworks.cnn_vision.style.config import AdainConfig, FastConfig, FeaturesConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def features() -> FeaturesConfig:
    """A small VGG in place of ImageNet's: it classifies parts of bundled photographs.

    cnn-vision train features
    Intel Xeon, one thread, 152 s of CPU time. Accuracy over 34 cells 21 %, top-5 accuracy 67 % (seed 0);
    chance is 3 %.
    """
    return FeaturesConfig(
        recipe="features",
        data="photos",
        loader=ImageConfig(image_size=48),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=48),
    )


def style_fast() -> FastConfig:
    """Photographs in one style, by a net in one pass.

    cnn-vision train style-fast --style ihc
    Intel Xeon, one thread, 92 s of CPU time, once the feature net is trained. Test photographs, three seeds: style loss
    0.152 ± 0.002, content loss 1.027 ± 0.022 (together 2.55 ± 0.03). Baselines: the photographs as they are 1.336, with
    the style's colors 0.408 and 0.584 (together 4.67).
    """
    return FastConfig(
        recipe="style-fast",
        data="photos",
        loader=ImageConfig(image_size=96),
        optim=OptimConfig(lr=1e-3, schedule="cosine"),
        trainer=TrainerConfig(steps=400, batch_size=2),
    )


def style_adain() -> AdainConfig:
    """Photographs in the style of any image, by a net in one pass.

    cnn-vision train style-adain
    Intel Xeon, one thread, 96 s of CPU time, once the feature net is trained. Test photographs and styles, three seeds:
    style loss 0.202 ± 0.000. Baselines: the photographs as they are 5.619, with the style's colors 0.201. So it
    transfers colors and hardly any strokes: for strokes use style-fast, or stylize without a run.
    """
    return AdainConfig(
        recipe="style-adain",
        data="photos",
        loader=ImageConfig(image_size=96),
        optim=OptimConfig(lr=1e-3, schedule="cosine"),
        trainer=TrainerConfig(steps=400, batch_size=2),
    )
