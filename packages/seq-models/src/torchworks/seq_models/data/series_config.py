"""How series are read. Imports no torch, so that `--help` is quick."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated

from torchworks.shared.config import LoaderConfig, Share, limited


@dataclass(frozen=True)
class SeriesConfig(LoaderConfig):
    """How the series get to the device."""

    test_fraction: Share = 0.2
    """Share of the time steps, the last ones, held back for testing."""
    time: str = ""
    """Column of a CSV file with the time stamps; found by its name or contents when not given."""
    series: str = ""
    """Column that says which series a row belongs to, of a file with one row for each series and time; found by its
    name, such as series, unique_id or item, when not given."""
    target: tuple[str, ...] = ()
    """Columns to forecast; all numbers that are not known in advance when not given."""
    known: tuple[str, ...] = ()
    """Columns whose values are known in advance, such as holidays; those that go on after the targets end when not
    given."""
    every: str = ""
    """Time between two steps as an ISO 8601 duration, such as PT1H or P1D; the commonest distance when not given."""
    season: Annotated[int, *limited(0)] = 0
    """Steps of a season, for the seasonal naive forecast and for MASE (0: suits the time between two steps)."""


def as_series(config: LoaderConfig) -> SeriesConfig:
    """`config` with the defaults of series where it says nothing of them, as for the command `check`."""
    if isinstance(config, SeriesConfig):
        return config
    values = {item.name: getattr(config, item.name) for item in dataclasses.fields(LoaderConfig)}
    return SeriesConfig(**values)
