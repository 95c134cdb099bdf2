"""Configuration of the recipe `detect-speech`. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.shared.config import Amount, Config, Count, Limited, Share, TextConfig


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    channels: Count = 32
    """Channels of the convolutions."""
    hidden_dim: Count = 48
    """Size of the state."""
    drop_rate: Share = 0.1
    """Dropout."""


@dataclass(frozen=True)
class VoiceDetectionConfig(Config):
    """A model that tells speech from anything else, frame by frame."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.voice_detection.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "speech-segments or speech-segments:FOLDER"

    data: str = "speech-segments"
    """Sounds and when somebody speaks in them: speech-segments, which is made, or speech-segments:FOLDER, WAV and FLAC
    files with a text file of the same name each, a start and an end in seconds a line."""
    loader: TextConfig = field(default_factory=TextConfig)
    loudness: Amount = 10.0
    """Training sounds are made so many dB louder or softer, at most."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to biases."""
    valid_fraction: Share = 0.1
    """Share of the training sounds held out to select the best state and the threshold."""
    net: NetConfig = field(default_factory=NetConfig)
