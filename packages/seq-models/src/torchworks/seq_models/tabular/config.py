"""Configuration of the recipes for tables. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.seq_models.data.table_config import TableConfig
from torchworks.shared.config import Amount, Config, Count, Limited, Share, limited


@dataclass(frozen=True)
class TabularNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    kind: Literal["ft", "mlp", "resnet"] = "ft"
    """ft: columns as tokens of a Transformer (FT-Transformer). mlp: layers one after the other. resnet: blocks that add
    to what they are given."""
    width: Count = 64
    """Size of a token, or of a layer."""
    depth: Count = 2
    """Blocks."""
    heads: Count = 4
    """Heads of attention (ft); they divide the width."""
    drop_rate: Annotated[float, *limited(0, 1, below=True)] = 0.1
    """Dropout."""


@dataclass(frozen=True)
class TabularConfig(Config):
    """A class or a number predicted from a row of a table."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.tabular.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "iris, wine, breast-cancer or table:FILE.csv"

    data: str = "breast-cancer"
    """Rows: iris, wine, breast-cancer, or a table of your own as table:FILE.csv."""
    weight_decay: Amount = 0.05
    """Decoupled weight decay, not applied to norms and biases."""
    noise: Amount = 0.0
    """Standard deviations of the noise added to training rows' numbers."""
    smoothing: Share = 0.0
    """Label smoothing, of classes."""
    failures: Share = 0.0
    """Share of the cells of training rows that are hidden, so that missing cells are known of."""
    valid_fraction: Share = 0.15
    """Share of the training rows held out to select the best state."""
    net: TabularNetConfig = field(default_factory=TabularNetConfig)
    loader: TableConfig = field(default_factory=TableConfig)
