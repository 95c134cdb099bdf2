"""Configuration of the recipe `price`. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.hybrid_multimodal.data.priced_config import PricedConfig
from torchworks.shared.config import Amount, Config, Count, CountOrZero, Limited, Share, limited


@dataclass(frozen=True)
class PriceNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    widths: tuple[Count, ...] = (32, 64, 96)
    """Channels of the strided convolutions, multiples of 8."""
    width: Count = 128
    """Size of the vectors of picture and row."""
    components: Count = 5
    """Laplace distributions whose mixture is the answer."""
    drop_rate: Annotated[float, *limited(0, 1, below=True)] = 0.1
    """Dropout."""


@dataclass(frozen=True)
class PriceConfig(Config):
    """A number told from a picture and a row of a table."""

    package: ClassVar[str] = "hybrid-multimodal"
    build: ClassVar[str] = "torchworks.hybrid_multimodal.price.build:build"
    known_data: ClassVar[str] = "price or priced:FILE.csv"

    data: str = "price"
    """Rows with pictures: price, which is drawn, or priced:FILE.csv."""
    read: Literal["both", "picture", "table"] = "both"
    """Train and answer with one half alone, to compare."""
    scale: Literal["auto", "log", "plain"] = "auto"
    """What is learned: the logarithm of the target or the target; auto takes the logarithm where all targets are
    positive."""
    failures: Share = 0.05
    """Share of training rows without picture, and of those without a column, for each column."""
    error_weight: Amount = 5.0
    """Weight of the mean answer's squared error beside the likelihood, which alone may never come to read the
    picture."""
    shift: CountOrZero = 1
    """Pixels by which training pictures are moved at most."""
    weight_decay: Amount = 0.05
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.1
    """Share of the training rows held out to select the best state."""
    net: PriceNetConfig = field(default_factory=PriceNetConfig)
    loader: PricedConfig = field(default_factory=PricedConfig)
