"""Configuration of the recipes of forecasting. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.seq_models.data.series_config import SeriesConfig
from torchworks.shared.config import Amount, Config, Count, CountOrZero, Limited, Share, UserError, limited

Level = Annotated[float, *limited(0, 1, above=True)]


@dataclass(frozen=True)
class ForecastNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    architecture: Literal["linear", "lstm", "nbeats", "patchtst", "tcn"] = "nbeats"
    """What reads the past: NLinear, an LSTM over patches, N-BEATS, PatchTST, or a temporal convolutional net."""
    skip: Literal["none", "naive", "ridge"] = "ridge"
    """A linear layer beside it, which learns on: none, one that begins as the seasonal naive forecast, or one that
    begins as ridge regression on lags and known columns."""
    width: Count = 128
    """Size of its layers."""
    depth: Count = 2
    """Number of its layers, or blocks."""
    num_heads: Count = 4
    """Heads of attention (patchtst)."""
    kernel_size: Annotated[int, *limited(2)] = 3
    """Steps that a convolution sees (tcn)."""
    patch: CountOrZero = 0
    """Steps that are read as one (lstm, patchtst; 0: a day of hours, a week of days, …)."""
    out_dim: Count = 16
    """Numbers that it hands on for each step of the horizon."""
    head_dim: CountOrZero = 64
    """Size of the layer that joins them with what is known of that step (0: a linear layer alone)."""
    effect_dim: CountOrZero = 64
    """Size of the layers that say what known columns do; this is taken off the past and put on the future (0: none).
    """
    drop_rate: Annotated[float, *limited(0, 1)] = 0.1
    """Dropout."""


@dataclass(frozen=True)
class ForecastConfig(Config):
    """Forecasts of series."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.forecasting.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "demand, taylor, temperatures, water-flow, series:FILE.csv or ett:FILE.csv"

    data: str = "demand"
    """Series: demand, which is generated; taylor, temperatures or water-flow, which come with the extra series; or your
    own: series:FILE.csv, or ett:FILE.csv with the borders of the ETT benchmarks."""
    context: CountOrZero = 0
    """Steps of the past that a forecast reads (0: suits the data)."""
    horizon: CountOrZero = 0
    """Steps that are forecast (0: suits the data)."""
    stride: CountOrZero = 0
    """Steps between two forecasts that are scored (0: suits the data)."""
    quantiles: tuple[Level, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)
    """Levels of the quantiles that are forecast, 0.5 among them, in ascending order."""
    scale: Literal["auto", "log", "plain"] = "auto"
    """Learn the logarithms of the values, or the values; auto takes logarithms where values are positive and differ by
    a factor above 10."""
    noise: Amount = 0.0
    """Standard deviation of noise that is added to the past in training, in units of its own."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.1
    """Share of the training part, its end, held out to select the best state."""
    net: ForecastNetConfig = field(default_factory=ForecastNetConfig)
    loader: SeriesConfig = field(default_factory=SeriesConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0.5 not in self.quantiles or list(self.quantiles) != sorted(set(self.quantiles)):
            given = " ".join(map(str, self.quantiles))
            raise UserError(
                f"--quantiles must be ascending and have 0.5, the median, among them, but they are {given}."
            )
