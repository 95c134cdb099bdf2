"""The recipes of this package: functions that return a configuration. Their docstrings are what `list` prints."""

from torchworks.cnn_vision.config import ClassifierConfig, FindingsConfig
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


def medical() -> FindingsConfig:
    """Findings in medical images, none, one or several at once, each with a threshold of chosen sensitivity.

    cnn-vision train medical

    Not yet measured at these settings.
    """
    return FindingsConfig(
        recipe="medical",
        data="lesions",
        model="resnet20",
        augment=("flip", "shift"),
        class_weights="balanced",
        valid_fraction=0.2,
        loader=LoaderConfig(image_size=48),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=450, batch_size=32, eval_every=150),
    )
