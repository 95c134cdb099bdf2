"""The recipes of classification. Their docstrings are what `list` prints."""

from torchworks.cnn_vision.classification.config import ClassifierConfig, TransferConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def classify() -> ClassifierConfig:
    """A classifier of images, by any architecture.

    cnn-vision train classify

    Digits, 16 pixels, three seeds: accuracy 99.3 ± 0.7 % (98.6, 99.2 and 100.0 of 359 test images), logistic regression
    on the pixels 97.5 %, majority class 10.0 %; 47 s (torch 2.14.1, two cores of an AMD EPYC).
    """
    return ClassifierConfig(
        recipe="classify",
        model="resnet20",
        augment=("shift", "affine"),
        valid_fraction=0.0,
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=700, batch_size=64, ema=0.99),
    )


def transfer() -> TransferConfig:
    """Three new classes from five images each, by a net trained on seven other classes.

    cnn-vision train transfer

    Digits 7, 8 and 9 after 0 to 6, three seeds, each with other images: accuracy 94.1 ± 0.5 %, the same net from
    scratch 83.2 ± 10.1 % (88.2 ± 2.4 % at a third of the learning rate), logistic regression on the pixels
    88.8 ± 2.5 %; 51 s with all three nets (torch 2.14.1, one core of an AMD EPYC).
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
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=120, batch_size=15),
    )


def study() -> ClassifierConfig:
    """The configuration that studies and search vary: few images and a small net, so that differences show and many
    trainings take minutes."""
    return ClassifierConfig(
        recipe="classify",
        model="resnet20",
        shots=20,
        valid_fraction=0.0,
        loader=ImageConfig(image_size=8),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=250, batch_size=64),
    )
