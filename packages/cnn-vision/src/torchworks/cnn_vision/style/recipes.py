"""The recipes of style transfer."""

from torchworks.cnn_vision.style.config import AdainConfig, FastConfig, FeaturesConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def features() -> FeaturesConfig:
    """The small VGG that stands in for ImageNet's: it tells parts of bundled photographs apart.

    cnn-vision train features
    Intel Xeon, one thread, 152 s of CPU time. For 21 % of test crops it names the right one of 34 cells, for 67 % it is
    among the first five (seed 0); chance is 3 %.
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
    AMD EPYC, two shared cores; one thread, 118 s of CPU time, once the feature net is there. Test photographs, seed 0:
    style loss 0.166, content loss 1.045 (together 2.70). Baselines: the photographs as they are 1.415, with the style's
    colours 0.435 and 0.583 (together 4.94).
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
    AMD EPYC, two shared cores; one thread, 106 s of CPU time, once the feature net is there. Test photographs and
    styles, seed 0: style loss 0.198. Baselines: the photographs as they are 6.010, with the style's colours 0.197. So
    it takes over colours and hardly any strokes: for those take style-fast, or stylize without a run.
    """
    return AdainConfig(
        recipe="style-adain",
        data="photos",
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=1e-3, schedule="cosine"),
        trainer=TrainerConfig(steps=400, batch_size=2),
    )
