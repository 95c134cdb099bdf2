"""Configuration of the recipes that find anomalies. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, Limited, LoaderConfig, Share, limited


@dataclass(frozen=True)
class AnomalyNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    method: Literal["density", "autoencoder"] = "density"
    """density: how improbable each number is, given those before it. autoencoder: how badly it is returned from a
    narrow layer."""
    hidden_dim: Count = 64
    """Width of the hidden layers."""
    components: Count = 8
    """Normal distributions that a number's density is a mixture of (density)."""
    narrow: Count = 3
    """Width of the narrow layer (autoencoder)."""
    depth: Count = 6
    """Layers of the net of a series, each of which looks back twice as far (density of series)."""
    window: Count = 64
    """Steps that are returned together (autoencoder of series)."""


@dataclass(frozen=True)
class AnomalyConfig(Config):
    """What rows and series have in common."""

    package: ClassVar[str] = "seq-models"
    convolutional: ClassVar[bool] = False

    alarm_rate: Annotated[float, *limited(0, 1, above=True)] = 0.01
    """Share of ordinary rows or steps that may raise an alarm: the threshold is set by validation data."""
    noise: Amount = 0.02
    """Standard deviation of the noise added in training, in units of each column's."""
    clamp: Amount = 8.0
    """Standard deviations beyond which values count as this far."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Annotated[float, *limited(0, 1, above=True)] = 0.15
    """Share of the training part held out to select the best state and to set the threshold."""
    net: AnomalyNetConfig = field(default_factory=AnomalyNetConfig)
    loader: LoaderConfig = field(default_factory=LoaderConfig)


@dataclass(frozen=True)
class FraudConfig(AnomalyConfig):
    """Anomalous rows of a table."""

    build: ClassVar[str] = "torchworks.seq_models.anomalies.rows_build:build"
    known_data: ClassVar[str] = "shuttle or rows:FILE.csv"

    data: str = "shuttle"
    """Rows of numbers: shuttle, of the extra series, or rows:FILE.csv with perhaps a column anomaly (1 or 0)."""
    learn: Literal["auto", "ordinary", "all"] = "auto"
    """Which training rows are learned from. ordinary: those that are labelled 0, as the methods want it. all: as if no
    label were known. auto: ordinary where there are labels."""
    drop: Share = 0.1
    """Of unlabelled training rows, the share that an isolation forest finds strangest and that is left out; 0 keeps
    all, and then anomalies among them are learned as ordinary."""


@dataclass(frozen=True)
class AnomalySeriesConfig(AnomalyConfig):
    """Anomalous steps of a series."""

    build: ClassVar[str] = "torchworks.seq_models.anomalies.series_build:build"
    known_data: ClassVar[str] = "kdd-tsad or signal:FILE.csv"

    data: str = "kdd-tsad"
    """A series: kdd-tsad, of the extra series, or signal:FILE.csv with perhaps timestamp and is_anomaly."""
    length: Count = 256
    """Steps of a training sample."""
    smooth: Count = 8
    """Steps over which surprise is averaged, up to each step, before it is compared with the threshold."""
