"""Configuration of the recipes that compose. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.seq_models.data.music_config import MusicConfig
from torchworks.shared.config import Config, Count, CountOrZero, Limited, Share, limited


@dataclass(frozen=True)
class ComposerNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    kind: Literal["notes", "roll", "tcn"] = "notes"
    """notes: a recurrent net that tells a frame note by note, from high to low. roll: a recurrent net that tells each
    of 88 notes by itself. tcn: convolutions over time that do so."""
    layers: Literal["gru", "lstm", "rnn"] = "gru"
    """Recurrent layers (notes, roll)."""
    depth: Count = 1
    """Recurrent layers, or blocks of convolutions."""
    kernel: Count = 3
    """Frames of a kernel (tcn)."""
    embed_dim: Count = 128
    """Size of the vector of a frame."""
    hidden_dim: Count = 256
    """Size of the state."""
    frame_dim: Count = 256
    """Size of the hidden layers that tell the notes of a frame (notes)."""
    drop_rate: Annotated[float, *limited(0, 1, below=True)] = 0.3
    """Dropout."""


@dataclass(frozen=True)
class ComposeConfig(Config):
    """A model of music."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.composing.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "counterpoint, chorales, midi:FOLDER or jsb:FILE.json"

    data: str = "counterpoint"
    """Music: counterpoint, which is generated, chorales (needs the extra music), midi:FOLDER or jsb:FILE.json."""
    length: Annotated[int, *limited(2)] = 64
    """Frames of a row of a batch, cut out of a piece at a random place."""
    transpose: CountOrZero = 6
    """Semitones by which training pieces are moved at most, up or down, each time anew, as far as the
    voices stay in the ranges that they have."""
    weight_decay: Annotated[float, *limited(0)] = 0.05
    """Decoupled weight decay, not applied to biases."""
    valid_fraction: Share = 0.1
    """Share of the training pieces held out to select the best state."""
    composed: CountOrZero = 24
    """Pieces that are composed at the end, to count how often they break rules."""
    net: ComposerNetConfig = field(default_factory=ComposerNetConfig)
    loader: MusicConfig = field(default_factory=MusicConfig)
