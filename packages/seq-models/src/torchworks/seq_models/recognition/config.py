"""Configuration of the recipes of recognition. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from torchworks.seq_models.sound.config import SoundConfig
from torchworks.shared.config import Amount, Config, Count, CountOrZero, Limited, Positive, Share
from torchworks.shared.options import by_default


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    architecture: Literal["gru", "conformer"] = "gru"
    """gru: layers that read in both directions (Deep Speech 2). conformer: attention and convolution (Gulati 2020)."""
    channels: tuple[Count, ...] = (64, 128)
    """Filters of each convolution."""
    strides: tuple[Count, ...] = (2, 2)
    """Steps of each convolution, in frames."""
    hidden_dim: Count = 112
    """Size of the state in each direction (gru); half the width of the two-layer nets (conformer)."""
    depth: Count = 2
    """Layers."""
    num_heads: Count = 4
    """Heads of attention (conformer)."""
    drop_rate: Share = 0.1
    """Dropout."""


@dataclass(frozen=True)
class FrontConfig(Limited):
    """The log-mel spectrogram that the net sees."""

    group: ClassVar[str] = "front"

    num_mels: Count = 40
    """Mel channels."""
    window: Positive = 25.0
    """Length of a frame's window (ms)."""
    hop: Positive = 10.0
    """From one frame to the next (ms)."""
    low: Amount = 60.0
    """Lowest frequency (Hz)."""
    loudness_range: Amount = 9.0
    """In use, what is further below the loudest place of a sound is raised to this (nepers of energy: 9 are 39 dB); 0:
    nothing is."""
    silence: CountOrZero = 1
    """In use, frames of the net (40 ms) of silence that are heard before a sound and behind it, for recordings that
    begin in the midst of a word."""


@dataclass(frozen=True)
class AugmentConfig(Limited):
    """How spectrograms are changed in training, so that a model meets more voices and microphones than there are."""

    group: ClassVar[str] = "augment"

    tempo: Share = 0.15
    """Faster or slower by up to this share."""
    warp: Share = 0.12
    """Frequencies of a sound moved up or down by up to this share, as those of another speaker (vocal tract length
    perturbation, Jaitly and Hinton 2013)."""
    channel: Amount = 0.5
    """Deviation of a smooth curve over frequency that is added, as of another microphone (nepers)."""
    noise: Share = 0.5
    """Share of the sounds with more noise."""
    masks: CountOrZero = 2
    """Bands of frequency, and stretches of time, that are hidden (SpecAugment, Park et al. 2019)."""
    band: CountOrZero = 8
    """Widest band that is hidden, in mel channels."""
    stretch: Share = 0.1
    """Longest stretch that is hidden, as a share of the sound."""


@dataclass(frozen=True)
class RecognizerConfig(Config):
    """A recogniser of speech."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.recognition.build:build"
    convolutional: ClassVar[bool] = False  # most of the time goes into recurrent layers, which gain nothing by bf16
    known_data: ClassVar[str] = "spoken, spoken:words or sounds:FOLDER"

    data: str = "spoken"
    """Where the data come from: spoken, spoken:words, or sounds:FOLDER, a folder of WAV or FLAC files with
    transcripts."""
    loader: SoundConfig = field(default_factory=lambda: SoundConfig(rate=8_000))
    net: NetConfig = field(default_factory=NetConfig)
    front: FrontConfig = field(default_factory=FrontConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.05
    """Share of the training sounds held out to select the best state; 0 keeps the last state and trains on all."""
    init_from: Annotated[Path | None, by_default("RUN", "none")] = None
    """Begin with the weights of a finished run of the same recipe, to adapt it to other voices or words."""
    replay: CountOrZero = 0
    """With --init-from: also train on so many sounds of that run's own data, so that little of it is forgotten."""
    order: Count = 6
    """Length of the n-grams of characters in the language model that is kept for decoding by beam search."""
