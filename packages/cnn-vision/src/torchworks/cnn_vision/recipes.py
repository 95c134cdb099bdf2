"""The recipes of this package: functions that return a configuration. Their docstrings are what `list` prints."""

from torchworks.cnn_vision.config import ClassifierConfig, FindingsConfig, SpeedConfig, TransferConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def classify() -> ClassifierConfig:
    """A classifier of images, by any architecture.

    cnn-vision train classify

    Not yet measured at these settings.
    """
    return ClassifierConfig(
        recipe="classify",
        model="resnet20",
        augment=("shift", "affine"),
        valid_fraction=0.0,
        loader=LoaderConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=700, batch_size=64, ema=0.99),
    )


def transfer() -> TransferConfig:
    """Three new classes from five images each: a net trained on seven other classes goes on learning.

    cnn-vision train transfer

    Not yet measured at these settings.
    """
    return TransferConfig(
        recipe="transfer",
        model="resnet20",
        classes=("7", "8", "9"),
        shots=5,
        pretrain_classes=("0", "1", "2", "3", "4", "5", "6"),
        pretrain_steps=150,
        augment=("shift", "affine"),
        valid_fraction=0.0,
        loader=LoaderConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=120, batch_size=15),
    )


def study() -> ClassifierConfig:
    """Where the studies and the search start from: few images and a small net, so that differences show and many
    trainings take minutes."""
    return ClassifierConfig(
        recipe="classify",
        model="resnet20",
        shots=20,
        valid_fraction=0.0,
        loader=LoaderConfig(image_size=8),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=250, batch_size=64),
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
