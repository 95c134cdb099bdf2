"""The recipes of segmentation."""

from torchworks.cnn_vision.segmentation.config import SegmentConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def segment() -> SegmentConfig:
    """A class for every pixel, by a U-Net.

    cnn-vision train segment

    Not measured at its full length. After 250 steps on `scenes:train=1000,test=100` (seed 0) it still answered
    background everywhere: mIoU 0.082, as of always the commonest class; a random forest on colours 0.126.
    """
    return SegmentConfig(
        recipe="segment",
        data="scenes",
        model="unet",
        width=8,
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=1e-2, schedule="one-cycle"),
        trainer=TrainerConfig(steps=2000, batch_size=16, ema=0.99, eval_every=500, log_every=50),
    )


def segment_deeplab() -> SegmentConfig:
    """A class for every pixel, by DeepLabV3 on a small ResNet.

    cnn-vision train segment-deeplab

    Not measured yet.
    """
    return SegmentConfig(
        recipe="segment-deeplab",
        data="scenes",
        model="deeplabv3_resnet20",
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1000, batch_size=16, ema=0.99, eval_every=250, log_every=50),
    )


def cells() -> SegmentConfig:
    """Cell nuclei and stained tissue in a histology photograph, by a U-Net.

    cnn-vision train cells

    The masks are made by a rule (see the source `cells`), not drawn by a pathologist. Seed 0, 60 test patches: mIoU
    0.928, a random forest on the colours around each pixel 0.964, always the commonest class 0.096. The forest wins,
    as it may: the rule is made of blurred colours. 71 s of one core of an AMD EPYC, baselines included (torch 2.14.1).
    """
    return SegmentConfig(
        recipe="cells",
        data="cells",
        model="unet",
        width=8,
        depth=3,
        flip=True,
        colours=False,
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=200, batch_size=8, ema=0.98, eval_every=100, log_every=50),
    )
