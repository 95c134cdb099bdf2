"""The recipes of this package: functions that return a configuration. Their docstrings are what `list` prints."""

from torchworks.cnn_vision.config import ClassifierConfig, SpeedConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def classify() -> ClassifierConfig:
    """A classifier of images, by any architecture.

    cnn-vision train classify

    Not yet measured at these settings.
    """
    return ClassifierConfig(
        recipe="classify",
        model="resnet18",
        augment=("shift",),
        valid_fraction=0.0,
        label_smoothing=0.1,
        loader=LoaderConfig(image_size=8),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=220, batch_size=64),
    )


def speed() -> SpeedConfig:
    """Small colour images in five minutes, or in seconds on a GPU.

    cnn-vision train speed
    """
    return SpeedConfig(
        recipe="speed",
        augment=("shift",),
        head_lr=300.0,
        bias_lr=25.0,
        loader=LoaderConfig(image_size=32, channels=3),
        optim=OptimConfig(lr=0.1, schedule="linear"),
        trainer=TrainerConfig(steps=500, batch_size=512),
    )
