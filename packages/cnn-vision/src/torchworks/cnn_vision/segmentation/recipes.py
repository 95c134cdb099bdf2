"""The recipes of segmentation."""

from torchworks.cnn_vision.segmentation.config import SegmentConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def segment() -> SegmentConfig:
    """A class for every pixel, by a U-Net.

    cnn-vision train segment
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
