"""Configuration of action recognition. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.hybrid_multimodal.data.films_config import FilmConfig
from torchworks.shared.config import Amount, Config, Count, CountOrZero, Limited, Share

Arch = Literal[
    "r2plus1d", "cnn-lstm", "timesformer", "r3d-18", "mc3-18", "r2plus1d-18", "s3d", "mvit-v1-b", "mvit-v2-s"
]


@dataclass(frozen=True)
class ActionNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    arch: Arch = "r2plus1d"
    """The first three are small. r2plus1d: convolutions over space, then over time. cnn-lstm: a net for frames, and one
    that remembers. timesformer: attention over time, then over space. The others are those of their papers, with 8 to
    37 million parameters: r3d-18, mc3-18, r2plus1d-18, s3d, mvit-v1-b, mvit-v2-s."""
    widths: tuple[Count, ...] = (16, 32, 64)
    """Channels of the strided convolutions (r2plus1d, cnn-lstm)."""
    width: Count = 96
    """Size of the memory, or of a patch (cnn-lstm, timesformer)."""
    depth: Count = 2
    """Blocks of attention (timesformer)."""
    heads: Count = 4
    """Heads of attention, which divide the width (timesformer)."""
    patch: Count = 8
    """Pixels along a patch, a power of 2 that divides the frame (timesformer)."""


@dataclass(frozen=True)
class ActionConfig(Config):
    """A model that names what happens in a film."""

    package: ClassVar[str] = "hybrid-multimodal"
    build: ClassVar[str] = "torchworks.hybrid_multimodal.actions.build:build"
    known_data: ClassVar[str] = "actions or films:FOLDER"

    data: str = "actions"
    """Films with a class each: actions, which is drawn, films:FOLDER with a folder for each class, or
    films:TABLE.csv."""
    shift: CountOrZero = 2
    """Pixels by which training films are moved at most, all frames of a film alike."""
    flip: bool = False
    """Mirror half of the training films: not for actions that go to the left or to the right."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.05
    """Share of the training films held out to select the best state."""
    net: ActionNetConfig = field(default_factory=ActionNetConfig)
    loader: FilmConfig = field(default_factory=FilmConfig)
