"""Configuration of contrastive training. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, CountOrZero, ImageConfig, Limited, Positive, Share


@dataclass(frozen=True)
class ClipNetConfig(Limited):
    """The two encoders."""

    group: ClassVar[str] = "net"

    architecture: Literal["scene", "vit"] = "scene"
    """Image encoder. scene: convolutions, then learned queries that attend to their map. vit: the paper's transformer
    of patches."""
    embed_dim: Count = 128
    """Size of the vectors of images and of captions."""
    widths: tuple[Count, ...] = (32, 64, 96)
    """Channels of the strided convolutions, multiples of 8 (scene)."""
    blocks: CountOrZero = 2
    """Residual blocks behind them (scene)."""
    queries: Count = 4
    """Learned queries (scene)."""
    patch_size: Count = 8
    """Pixels along a patch (vit)."""
    vit_width: Count = 128
    """Width of the layers (vit)."""
    vit_depth: Count = 4
    """Layers (vit)."""
    text_width: Count = 64
    """Width of the text encoder's layers."""
    text_depth: Count = 2
    """Layers of the text encoder."""
    num_heads: Count = 4
    """Heads of attention, in both transformers."""
    first_scale: Positive = 10.0
    """What cosines are multiplied by at the beginning; it is learned, and never exceeds 100."""


@dataclass(frozen=True)
class ClipConfig(Config):
    """Two encoders that bring images and captions together."""

    package: ClassVar[str] = "hybrid-multimodal"
    channels_last_on_cpu: ClassVar[bool] = False  # a step takes a sixth longer with it, measured
    build: ClassVar[str] = "torchworks.hybrid_multimodal.contrastive.build:build"
    known_data: ClassVar[str] = "digit-scenes, or any source of images with captions"

    data: str = "digit-scenes"
    """Images with captions, such as digit-scenes."""
    longest: Count = 32
    """Most words of a caption that the model reads; the rest is cut off."""
    vocabulary: Count = 10_000
    """Most words that the model knows, the most frequent ones of the training captions."""
    hard_negatives: CountOrZero = 0
    """Wrong captions that are nearly right, for each image of a batch: colors, order or relation exchanged, or one word
    replaced (digit-scenes only)."""
    shift: CountOrZero = 3
    """Pixels by which training images are moved at most."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.032
    """Share of the training images held out for the curves."""
    net: ClipNetConfig = field(default_factory=ClipNetConfig)
    loader: ImageConfig = field(default_factory=lambda: ImageConfig(image_size=64))
