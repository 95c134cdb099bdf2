"""Configuration of the recipes of pronunciation. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.shared.config import Amount, Config, Count, Limited, Share, TextConfig


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    embed_dim: Count = 64
    """Numbers that a letter becomes, and a unit of sounds."""
    hidden_dim: Count = 192
    """Size of the encoder's state in each direction."""
    decoder_dim: Count = 256
    """Size of the decoder's state."""
    depth: Count = 2
    """Layers of the encoder."""
    drop_rate: Share = 0.2
    """Dropout."""


@dataclass(frozen=True)
class PronunciationConfig(Config):
    """A model that says how words sound."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.pronunciation.build:build"
    convolutional: ClassVar[bool] = True  # it gains by bf16 on a CPU that computes in it, as nets that convolve do
    channels_last_on_cpu: ClassVar[bool] = False
    known_data: ClassVar[str] = "pronunciations or pronunciations:FILE"

    data: str = "pronunciations"
    """Words and how they sound: pronunciations (English), or pronunciations:FILE, a word, spaces or a tab, and its
    sounds with spaces between in each line, as CMUdict is."""
    loader: TextConfig = field(default_factory=lambda: TextConfig(test_fraction=0.1))
    longest: Count = 40
    """Letters of a word: longer ones are not trained on, and the model refuses them."""
    beams: Count = 4
    """Beginnings that are followed at a time when pronunciations are scored."""
    ngram_weight: Share = 0.4
    """Weight of n-grams of letters with their sounds beside the net, where a finished model pronounces; 0: the net
    alone."""
    valid_fraction: Share = 0.03
    """Share of the training words held out to select the best state; 0 keeps the last state and trains on all."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to biases."""
    net: NetConfig = field(default_factory=NetConfig)
