"""Configuration of the recipes of classification. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.shared.config import Amount, Config, Count, Limited, Share


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    embed_dim: Count = 32
    """Numbers that a token becomes."""
    filters: Count = 32
    """Filters of each width."""
    widths: tuple[Count, ...] = (1, 2, 3)
    """Numbers of neighbouring tokens that filters look at."""
    drop_rate: Share = 0.5
    """Dropout before the classifier."""


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """A classifier of texts."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.classification.build:build"
    convolutional: ClassVar[bool] = False  # convolutions along a text gain nothing by bf16 on a CPU

    data: str = "seq-models-numbers"
    """Where the data come from: a source with the fields text and label."""
    vocabulary: Count = 10_000
    """Most tokens that the tokenizer learns from the training texts."""
    longest: Count = 64
    """Tokens of a text that are read in training; the trained model refuses longer ones."""
    weight_decay: Amount = 0.05
    """Decoupled weight decay, not applied to biases."""
    valid_fraction: Share = 0.1
    """Share of the training texts held out to select the best state; 0 keeps the last state and trains on all."""
    net: NetConfig = field(default_factory=NetConfig)
