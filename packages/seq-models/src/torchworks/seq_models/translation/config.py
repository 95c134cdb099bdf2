"""Configuration of the recipes of translation. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, CountOrZero, Limited, Share, TextConfig, limited


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    embed_dim: Count = 128
    """Numbers that a token becomes."""
    depth: Count = 2
    """Layers of the encoder, and as many of the decoder (transformer)."""
    num_heads: Count = 4
    """Heads of attention, which share embed_dim (transformer)."""
    ff_dim: Count = 384
    """Width of each layer's two-layer net (transformer)."""
    hidden_dim: Count = 192
    """Size of the decoder's state, and of the encoder's in each direction (gru, lstm)."""
    attention_dim: Count = 128
    """Size of what states and places of the source are compared by (gru, lstm)."""
    drop_rate: Share = 0.0
    """Dropout."""


@dataclass(frozen=True)
class TranslationConfig(Config):
    """A model that translates."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.translation.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "numbers, numbers:fr, phrases, phrases:fr-ja or tsv:PATH"

    data: str = "numbers"
    """Where the pairs come from: numbers (English to German), numbers:fr, phrases, phrases:fr-ja, or tsv:PATH, a file
    with a text, a tab and its translation in each line, or a folder with train.tsv and test.tsv."""
    loader: TextConfig = field(default_factory=TextConfig)
    model: Literal["transformer", "gru", "lstm"] = "transformer"
    """Architecture: a Transformer, or a recurrent encoder and decoder with attention."""
    vocabulary: Annotated[int, *limited(300)] = 600
    """Most different tokens, parts of words (byte pairs) that both languages have in common."""
    longest: Count = 64
    """Tokens of a text and of its translation: longer pairs are not trained on, and the model refuses longer texts."""
    valid_fraction: Share = 0.03
    """Share of the training pairs held out to select the best state; 0 keeps the last state and trains on all."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to biases and norms."""
    label_smoothing: Share = 0.05
    """Share of the probability that the loss spreads over all tokens."""
    pictured: CountOrZero = 4
    """Number of test texts whose translations and attention are shown at each evaluation."""
    net: NetConfig = field(default_factory=NetConfig)
