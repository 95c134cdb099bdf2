"""Configuration of the recipe `who`. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.shared.config import Amount, Config, Count, Limited, Positive, Share, TextConfig


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    channels: Count = 64
    """Channels of the first layers; the last has twice as many."""
    embed_dim: Count = 48
    """Numbers that a voice becomes."""
    drop_rate: Share = 0.1
    """Dropout before the last layer."""


@dataclass(frozen=True)
class VerificationConfig(Config):
    """A model that tells whether two recordings are of the same voice."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.verification.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "speaker-pairs or speaker-pairs:FOLDER"

    data: str = "speaker-pairs"
    """Recordings of many voices: speaker-pairs, which is made, or speaker-pairs:FOLDER, with a folder for each speaker
    that has WAV or FLAC files."""
    loader: TextConfig = field(default_factory=TextConfig)
    margin: Amount = 0.2
    """How much nearer than others the right speaker must be in training, as an angle."""
    scale: Positive = 20.0
    """What cosines are multiplied by in the loss."""
    tilt: Amount = 2.0
    """Training recordings get a random slope of so many dB an octave, at most, as of another microphone."""
    weight_decay: Amount = 0.05
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.15
    """Share of the training voices held out to select the best state and the threshold."""
    net: NetConfig = field(default_factory=NetConfig)
