"""Configuration of question answering. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, CountOrZero, ImageConfig, Limited, Share


@dataclass(frozen=True)
class VQANetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    fusion: Literal["attention", "product"] = "attention"
    """How question and picture meet. attention: the question looks at the cells of a map, several times. product: both
    are one vector, multiplied; quicker, and enough for pictures of one thing."""
    widths: tuple[Count, ...] = (32, 64, 96)
    """Channels of the strided convolutions, multiples of 8."""
    blocks: CountOrZero = 2
    """Residual blocks behind them."""
    width: Count = 128
    """Size of a question's vector."""
    looks: Count = 2
    """How often a question looks at the picture (attention)."""


@dataclass(frozen=True)
class VQAConfig(Config):
    """Answers to questions about pictures."""

    package: ClassVar[str] = "hybrid-multimodal"
    build: ClassVar[str] = "torchworks.hybrid_multimodal.questions.build:build"
    known_data: ClassVar[str] = "scene-questions or easy-vqa"

    data: str = "scene-questions"
    """Pictures with questions and answers: scene-questions, which is drawn, or easy-vqa, which comes with the extra
    vqa."""
    shift: CountOrZero = 2
    """Pixels by which training pictures are moved at most."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.05
    """Share of the training pictures held out to select the best state."""
    net: VQANetConfig = field(default_factory=VQANetConfig)
    loader: ImageConfig = field(default_factory=lambda: ImageConfig(image_size=64))
