"""Configuration of the recipes of classification. Imports no torch."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torchworks.cnn_vision.config import VisionConfig
from torchworks.shared.config import CountOrZero, Positive


@dataclass(frozen=True)
class ClassifierConfig(VisionConfig):
    """A classifier of images."""

    build: ClassVar[str] = "torchworks.cnn_vision.classification.build:build"

    classes: tuple[str, ...] = ()
    """Use the images of these classes only."""
    shots: CountOrZero = 0
    """Number of training images per class, sampled with the seed (0: all)."""
    mixing: Literal["none", "mixup", "cutmix"] = "none"
    """Mix pairs of training images, and their labels."""


@dataclass(frozen=True)
class TransferConfig(ClassifierConfig):
    """A classifier that starts from a net trained on other classes."""

    build: ClassVar[str] = "torchworks.cnn_vision.classification.transfer:build"

    pretrain_classes: tuple[str, ...] = ()
    """Without --pretrained, the net is first trained to classify these classes of the data."""
    pretrain_steps: CountOrZero = 300
    """Steps of this pretraining."""
    pretrain_lr: Positive = 3e-3
    """Peak learning rate of this pretraining."""
