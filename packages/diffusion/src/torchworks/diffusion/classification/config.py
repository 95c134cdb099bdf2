"""Configuration of the recipes of classification. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.shared.config import Amount, Config, Count, ImageConfig, Share


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """A classifier of images."""

    package: ClassVar[str] = "diffusion"
    build: ClassVar[str] = "torchworks.diffusion.classification.build:build"

    loader: ImageConfig = field(default_factory=ImageConfig)
    width: Count = 16
    """Channels of the first layers."""
    weight_decay: Amount = 0.05
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.1
    """Share of the training images held out to select the best state; 0 keeps the last state and trains on all."""
