"""The recipes of style transfer."""

from torchworks.cnn_vision.style.config import AdainConfig, FastConfig, FeaturesConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def features() -> FeaturesConfig:
    """The small VGG that stands in for ImageNet's: it tells parts of bundled photographs apart.

    cnn-vision train features
    Intel Xeon, one thread, 152 s of CPU time. For 21 % of test crops it names the right one of 34 cells, for 67 % it is
    among the first five (seed 0); chance is 3 %.
    """
    return FeaturesConfig(
        recipe="features",
        data="photos",
        loader=ImageConfig(image_size=48),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=48),
    )


def style_fast() -> FastConfig:
    """A net that paints photographs in one style, in one pass.

    cnn-vision train style-fast --style ihc
    Intel Xeon, one thread, 92 s of CPU time, once the feature net is there. Test photographs, three seeds: style loss
    0.152 ± 0.002, content loss 1.027 ± 0.022 (together 2.55 ± 0.03). Baselines: the photographs as they are 1.336, with
    the style's colours 0.408 and 0.584 (together 4.67).
    """
    return FastConfig(
        recipe="style-fast",
        data="photos",
        loader=ImageConfig(image_size=96),
        optim=OptimConfig(lr=1e-3, schedule="cosine"),
        trainer=TrainerConfig(steps=400, batch_size=2),
    )


def style_adain() -> AdainConfig:
    """A net that paints photographs in any style, which it takes from one image.

    cnn-vision train style-adain
    Intel Xeon, one thread, 96 s of CPU time, once the feature net is there. Test photographs and styles, three seeds:
    style loss 0.202 ± 0.000. Baselines: the photographs as they are 5.619, with the style's colours 0.201. So it takes
    over colours and hardly any strokes: for those take style-fast, or stylize without a run.
    """
    return AdainConfig(
        recipe="style-adain",
        data="photos",
        loader=ImageConfig(image_size=96),
        optim=OptimConfig(lr=1e-3, schedule="cosine"),
        trainer=TrainerConfig(steps=400, batch_size=2),
    )
