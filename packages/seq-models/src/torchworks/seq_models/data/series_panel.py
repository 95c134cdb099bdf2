"""Several series on the same time steps, with columns that are known in advance: the data of forecasting.

Shape letters: S series, T time steps, K known columns.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from torchworks.seq_models.data.series_times import Step, calendar
from torchworks.shared.config import UserError
from torchworks.shared.data import Field, Schema, Source
from torchworks.shared.data.calendar_columns import CALENDAR

if TYPE_CHECKING:
    from torch import Tensor

YEAR = 365 * 86400


class Oracle(Protocol):
    """What knows how generated series were made."""

    def part(self, first: int, last: int) -> "Oracle":
        """The same of the time steps from `first` to before `last`; `first` may be negative, to undo such a cut."""
        ...

    def quantiles(self, rows: np.ndarray, origins: np.ndarray, horizon: int, levels: Sequence[float]) -> np.ndarray:
        """The best forecasts (N, H, Q) of series `rows` (N,), whose first step is number `origins` (N,)."""
        ...


@dataclass(eq=False)
class Panel:
    """A data set whose samples are the series. `values` float32 (S, T) and `known` float32 (S, T, K) are NaN where
    nothing is known."""

    names: tuple[str, ...]
    values: np.ndarray
    known: np.ndarray
    columns: tuple[str, ...]
    """Names of the known columns; those of the calendar, if there are any, come last."""
    times: np.ndarray
    """datetime64[s] (T,), on the clock where they were written down."""
    offsets: np.ndarray
    """Minutes that this clock is ahead of UTC, int64 (T,)."""
    step: Step
    season: int
    """Steps of a season."""
    context: int
    """Steps of the past that forecasts of such series usually read."""
    horizon: int
    """Steps that are usually forecast."""
    zoned: bool = False
    """The time stamps were written with their zone."""
    stride: int = 1
    """Steps between two forecasts that are scored."""
    held: int = 0
    """Of a training part, how many steps at its end its publisher selects the best state by."""
    oracle: Oracle | None = None
    schema: Schema = field(init=False)

    def __post_init__(self) -> None:
        series, steps = self.values.shape
        assert self.known.shape == (series, steps, len(self.columns))
        assert len(self.times) == len(self.offsets) == steps
        fields = (Field("series", "series", (steps,)), Field("known", "series", (steps, len(self.columns))))
        self.schema = Schema(fields)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> "dict[str, Tensor]":
        import torch

        return {"series": torch.from_numpy(self.values[i].copy()), "known": torch.from_numpy(self.known[i].copy())}

    @property
    def steps(self) -> int:
        return self.values.shape[1]

    def part(self, first: int, last: int) -> "Panel":
        """The time steps from `first` to before `last`."""
        return replace(
            self, values=self.values[:, first:last], known=self.known[:, first:last], times=self.times[first:last],
            offsets=self.offsets[first:last], oracle=self.oracle and self.oracle.part(first, last),
        )  # fmt: skip

    def following(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The times of the `count` steps after the last one, and their offsets: those of the last step."""
        offset = int(self.offsets[-1])
        utc = self.times[-1] - np.timedelta64(60 * offset, "s")
        return self.step.after(utc, count) + np.timedelta64(60 * offset, "s"), np.full(count, offset)


def with_calendar(panel: Panel) -> Panel:
    """With columns of the calendar; without the day of the year where the series are shorter than a year, from which
    nothing could be learned of it. Raises `UserError` if a column has such a name already."""
    if twice := sorted({*panel.columns} & {*CALENDAR}):
        raise UserError(f"A column is called {twice[0]}, as one made of the time stamps is. Give it another name.")
    columns = calendar(panel.times, panel.step)
    if (panel.times[-1] - panel.times[0]).astype(np.int64) < YEAR:
        columns.pop("day_of_year", None)
    made = np.stack([*columns.values()], 1) if columns else np.zeros((panel.steps, 0), np.float32)
    known = np.concatenate([panel.known, np.broadcast_to(made, (len(panel), *made.shape))], 2)
    return replace(panel, known=known.astype(np.float32), columns=(*panel.columns, *columns))


def series_source(name: str, licence: str, panel: Panel, tested: int, notes: Sequence[str] = ()) -> Source:
    """The source whose last `tested` steps are for testing."""
    cut = panel.steps - tested
    digest = hashlib.sha256(repr((panel.names, panel.columns, panel.step.iso, cut)).encode())
    for array in (panel.values, panel.known, panel.times.astype(np.int64)):
        digest.update(np.ascontiguousarray(array).tobytes())
    train, test = panel.part(0, cut), replace(panel.part(cut, panel.steps), held=0)
    return Source(name, licence, train, test, panel.schema, digest.hexdigest()[:16], tuple(notes))


def panels_of(source: Source) -> tuple[Panel, Panel]:
    """The training and the test part. Raises `UserError` for data that are no series."""
    source.need("series", "known")
    assert isinstance(source.train, Panel)
    assert isinstance(source.test, Panel)
    return source.train, source.test


def joined(first: Panel, second: Panel) -> Panel:
    """`first` and the time steps of `second` after it."""
    return replace(
        first,
        values=np.concatenate([first.values, second.values], 1),
        known=np.concatenate([first.known, second.known], 1),
        times=np.concatenate([first.times, second.times]),
        offsets=np.concatenate([first.offsets, second.offsets]),
        oracle=second.oracle and second.oracle.part(-first.steps, second.steps),
    )


def filled(values: np.ndarray, season: int) -> np.ndarray:
    """`values` (S, T) with each gap filled by the value a season before, before the first season by the nearest one
    before, and at the beginning by the first one there is; 0 in a row without any. What was never there in that place
    of a season, as Sundays of a shop, is filled by the value before."""
    out = values.copy()
    for row in out:
        there = np.flatnonzero(~np.isnan(row))
        if not len(there):
            row[:] = 0
            continue
        seen = ~np.isnan(row)
        row[: there[0]] = row[there[0]]
        for i in np.flatnonzero(np.isnan(row)):
            seen[i] = i >= season and seen[i - season]
            row[i] = row[i - season] if seen[i] else row[i - 1]
    return out


def filled_known(known: np.ndarray) -> np.ndarray:
    """`known` (S, T, K) with each gap filled by the value before, and at the beginning by the first one there is."""
    series, steps, columns = known.shape
    flat = known.transpose(0, 2, 1).reshape(-1, steps)
    return filled(flat, steps + 1).reshape(series, columns, steps).transpose(0, 2, 1).copy()
