"""Configuration of the classification of series. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, Limited, LoaderConfig, Share

Architecture = Literal["fcn", "inception", "gru", "lstm", "transformer"]


@dataclass(frozen=True)
class SeriesNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    architecture: Architecture = "fcn"
    """fcn: three convolutions (Wang et al. 2017). inception: six modules of long and short filters (Ismail Fawaz et al.
    2020). gru, lstm: read in both directions. transformer: an encoder. All take the mean over time."""
    widths: tuple[Count, ...] = (128, 256, 128)
    """Filters of each convolution (fcn)."""
    kernels: tuple[Count, ...] = (8, 5, 3)
    """Steps that each convolution (fcn) or each branch of a module (inception) looks at."""
    filters: Count = 32
    """Filters of each branch of a module (inception)."""
    hidden_dim: Count = 64
    """Size of the state in each direction (gru, lstm)."""
    embed_dim: Count = 64
    """Size of a step's vector (transformer)."""
    num_heads: Count = 4
    """Heads of attention (transformer); they share embed_dim."""
    ff_dim: Count = 128
    """Width of each layer's two-layer net (transformer)."""
    kernel: Count = 1
    """Steps that are embedded together (transformer)."""
    depth: Count = 2
    """Modules (inception) or layers (gru, lstm, transformer)."""
    drop_rate: Share = 0.0
    """Dropout before the classifier; in a transformer, and between layers, also within."""


@dataclass(frozen=True)
class SeriesClassifierConfig(Config):
    """A classifier of series."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.series_classification.build:build"
    convolutional: ClassVar[bool] = False  # convolutions along so few steps gain nothing by bf16 on a CPU
    known_data: ClassVar[str] = "ts:NAME, ts:FILE_TRAIN.ts or ts:FILE.csv"

    data: str = "ts:JapaneseVowels"
    """Where the series come from: ts:NAME of the UCR and UEA archives' in the extra series, such as ts:GunPoint, or a
    .ts file or a .csv table of one's own."""
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    noise: Amount = 0.3
    """Standard deviation of the noise added to each value in training, in units of its channel's."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.0
    """Share of the training series held out to select the best state; 0 keeps the last state and trains on all, as the
    archives' training parts are small."""
    net: SeriesNetConfig = field(default_factory=SeriesNetConfig)
