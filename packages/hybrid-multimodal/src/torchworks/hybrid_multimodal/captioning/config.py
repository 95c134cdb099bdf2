"""Configuration of captioning. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, CountOrZero, ImageConfig, Limited, Share, limited


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    embed_dim: Count = 96
    """Numbers that a word becomes."""
    hidden_dim: Count = 256
    """Size of the LSTM's state."""
    attention_dim: Count = 128
    """Size of what states and places of the image are compared by (factored, attend)."""
    width: Count = 96
    """Features of a place of the image."""
    drop_rate: Share = 0.1
    """Dropout before words."""


@dataclass(frozen=True)
class CaptionConfig(Config):
    """A model that describes images."""

    package: ClassVar[str] = "hybrid-multimodal"
    build: ClassVar[str] = "torchworks.hybrid_multimodal.captioning.build:build"
    known_data: ClassVar[str] = "digit-scenes, digit-scenes:objects=2 or captioned:FOLDER"

    data: str = "digit-scenes"
    """Images with captions, such as digit-scenes or captioned:FOLDER."""
    model: Literal["factored", "attend", "lstm"] = "factored"
    """factored reads colors and shapes apart, so that it can name what it never saw together; attend is show, attend
    and tell; lstm looks at the image once, without attention."""
    grey_mix: bool = True
    """In training, red, green and blue have random shares in the grey image that shapes are read in (factored)."""
    longest: Count = 24
    """Most words and punctuation marks of a caption that the model learns and writes; the rest is cut off."""
    vocabulary: Count = 5_000
    """Most words that the model knows: those that are commonest in the training captions."""
    valid_fraction: Share = 0.05
    """Share of the training images held out to select the best state; 0 keeps the last state and trains on all."""
    shift: CountOrZero = 3
    """Training images are moved by up to so many pixels."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to biases and norms."""
    beams: Annotated[int, *limited(1, 16, below=False)] = 3
    """Beginnings that the finished model follows at a time when it writes a caption (beam search); 1 always takes the
    likeliest word."""
    net: NetConfig = field(default_factory=NetConfig)
    """Sizes of the net."""
    loader: ImageConfig = field(default_factory=ImageConfig)
