"""The recipes of segmentation."""

from torchworks.cnn_vision.segmentation.config import SegmentConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def segment() -> SegmentConfig:
    """A class for every pixel, by a U-Net.

    cnn-vision train segment

    Three seeds, 400 test scenes: mIoU 0.884 ± 0.010 (a random forest on colors 0.130 ± 0.002, the majority
    class 0.082); 373 s of two cores of an Intel Xeon (torch 2.14.1). Digits are distinguished from
    about step 300 on.
    """
    return _on_scenes("segment", "unet", width=16, lr=2.4e-3, steps=1600, batch_size=8)


def segment_deeplab() -> SegmentConfig:
    """A class for every pixel, by DeepLabV3 on a small ResNet.

    cnn-vision train segment-deeplab

    Three seeds, 400 test scenes: mIoU 0.861 ± 0.006 (a random forest on colors 0.130 ± 0.002, the majority
    class 0.082); 341 s of two cores of an Intel Xeon (torch 2.14.1).
    """
    return _on_scenes("segment-deeplab", "deeplabv3_resnet20", width=None, lr=2e-3, steps=2200, batch_size=8)


def _on_scenes(recipe: str, model: str, *, width: int | None, lr: float, steps: int, batch_size: int) -> SegmentConfig:
    return SegmentConfig(
        recipe=recipe,
        data="scenes:easy,train=8000",
        model=model,
        width=width,
        augment=False,
        valid_fraction=0.05,
        loader=ImageConfig(image_size=96),
        optim=OptimConfig(lr=lr, schedule="one-cycle", warmup=100),
        trainer=TrainerConfig(steps=steps, batch_size=batch_size, ema=0.99, eval_every=steps // 2, log_every=50),
    )


def cells() -> SegmentConfig:
    """Cell nuclei and stained tissue in a histology photograph, by a U-Net.

    cnn-vision train cells

    The masks are made by a rule (see the source `cells`), not drawn by a pathologist. Three seeds, 60 test patches:
    mIoU 0.920 ± 0.005, a random forest on the colors around each pixel 0.964 ± 0.002, the majority class
    0.109 ± 0.012. The forest wins, as it may: the rule is made of blurred colors. 35 s of one core of an AMD EPYC
    (torch 2.14.1).
    """
    return SegmentConfig(
        recipe="cells",
        data="cells",
        model="unet",
        width=8,
        depth=3,
        flip=True,
        colors=False,
        loader=ImageConfig(image_size=96),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=200, batch_size=8, ema=0.98, eval_every=100, log_every=50),
    )
