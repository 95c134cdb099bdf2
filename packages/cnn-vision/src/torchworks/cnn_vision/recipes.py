"""The recipes of this package: functions that return a configuration. Their docstrings are what `list` prints."""

from torchworks.cnn_vision.config import ClassifierConfig
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
