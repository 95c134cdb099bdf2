"""Configuration of the recipes of recommendation. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.hybrid_multimodal.data.interactions import InteractionsConfig
from torchworks.shared.config import Amount, Config, Count, CountOrZero, Share, limited

Decay = Annotated[float, *limited(0, 1, above=True, below=False)]


@dataclass(frozen=True)
class RecommendationConfig(Config):
    """Recommendation."""

    package: ClassVar[str] = "hybrid-multimodal"
    build: ClassVar[str] = "torchworks.hybrid_multimodal.recommendation.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "ml-100k or ratings:FILE.csv"

    data: str = "ml-100k"
    """Who chose what: ml-100k (films; for research only) or ratings:FILE.csv with the columns user and item, and
    perhaps time, rating, title and genres."""
    loader: InteractionsConfig = field(default_factory=InteractionsConfig)
    embed_dim: Count = 64
    """Size of the vector of a user or an item."""
    drop_rate: Share = 0.0
    """Dropout."""
    l2: Amount = 0.0
    """Weight of the squared parameters in the loss."""


@dataclass(frozen=True)
class HistoryConfig(RecommendationConfig):
    """Recommendation from the items that a user had, in no order."""

    blend: bool = True
    """Also look for the best mixture with EASE, on the validation part, and score it."""


@dataclass(frozen=True)
class FactorConfig(RecommendationConfig):
    """Recommendation by a vector for each user and item."""

    method: Literal["mf", "neumf", "lightgcn"] = "mf"
    """mf: product of the vectors. neumf: product and a network of both. lightgcn: product of vectors that are averaged
    over the graph of users and items."""
    loss: Literal["softmax", "bpr", "bce"] = "softmax"
    """softmax: over all items. bpr: an item that the user had against a drawn one. bce: each item by itself, drawn ones
    as 0."""
    negatives: Count = 1
    """Drawn items for each event (bpr, bce)."""
    layers: CountOrZero = 2
    """Steps over the graph (lightgcn) or hidden layers (neumf)."""
