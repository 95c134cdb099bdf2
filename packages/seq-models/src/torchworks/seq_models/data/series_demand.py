"""Guests of cafés, day by day: generated series in which the known columns act together.

    demand                                  40 cafés, four years
    demand:series=20,days=800               fewer and shorter
    demand:interaction=0                    the columns act one by one: a linear model is nearly as good as any

Known in advance: temperature (°C) and rain (0 to 1) of the café's town, taken as forecast without error; holiday and
event (0 or 1); terrace, the share of seats outside (0 to 1), which never changes. The guests y of a café on a day:

    log y = level + week + season + interaction + a + ε
    a' = φ a + η                                                       a random walk that is drawn back, φ = 0.97

The week is that of offices or of leisure, or between. `interaction` is what a sum over columns does not have: fine
weather fills the terrace, on free days three times as much as on others; a holiday empties cafés near offices and
fills the others, as far as the weather is fine; an event brings guests to small cafés, unless it rains. How near a café
is to offices, and how large it is, no column tells: it is to be read off its past.

The best possible forecast knows these rules and `a` of the day before; it is what `oracle` scores, the noise floor: no
method can do better, and none that has to estimate `a` as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit, ndtri

from torchworks.seq_models.data.options import parse_options
from torchworks.seq_models.data.series_config import as_series
from torchworks.seq_models.data.series_panel import Panel, series_source, with_calendar
from torchworks.seq_models.data.series_times import DAY, Step
from torchworks.shared.config import Limited, LoaderConfig, limited
from torchworks.shared.data import Source

NAME = "demand"
COLUMNS = ("temperature", "rain", "holiday", "event", "terrace")
TOWNS = 5
PHI, SHOCK = 0.97, 0.03
"""Of the random walk."""
OFFICES = np.array([0.25, 0.3, 0.3, 0.25, 0.1, -0.7, -1.0])
LEISURE = np.array([-0.35, -0.3, -0.2, -0.1, 0.15, 0.55, 0.45])
"""Monday to Sunday."""
FIXED = ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))
"""Holidays by month and day; others move with Easter."""


@dataclass(frozen=True)
class Options(Limited):
    """Options after the colon."""

    series: Annotated[int, *limited(1, 10_000, below=False)] = 40
    days: Annotated[int, *limited(120, 20_000, below=False)] = 1461
    interaction: Annotated[int, *limited(0, 200, below=False)] = 100
    """How much the columns act together, in per cent."""
    noise: Annotated[int, *limited(0, 100, below=False)] = 8
    """Standard deviation of ε, in per cent."""


def open_demand(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The series follow from `seed`."""
    options = parse_options(NAME, rest, Options())
    panel = cafes(options, seed)
    tested = max(panel.horizon, round(as_series(config).test_fraction * panel.steps))
    notes = ("The score `oracle` is that of the rules that made the series: no forecast can be better.",)
    return series_source(NAME, "none needed: made by rules", panel, tested, notes)


def cafes(options: Options, seed: int) -> Panel:
    """All series, with their calendar."""
    draw = np.random.default_rng([seed, 19])
    days, count = options.days, options.series
    times = np.datetime64("2021-01-01", "s") + (np.arange(days) * DAY).astype("timedelta64[s]")
    town = draw.integers(0, TOWNS, count)
    temperature, rain = _weather(times, draw)
    holiday = _holidays(times)
    event = (draw.random((count, days)) < 0.06).astype(float)
    terrace = draw.beta(0.8, 0.8, count)
    offices = draw.beta(0.7, 0.7, count)
    level = draw.normal(4.6, 0.7, count)
    known = np.stack(
        [temperature[town], rain[town], np.tile(holiday, (count, 1)), event, np.tile(terrace[:, None], (1, days))], 2
    )
    rules = _rules(times, known, offices, level, options.interaction / 100)
    noise = options.noise / 100
    start = draw.normal(0, SHOCK / np.sqrt(1 - PHI**2), (count, 1))
    walk, _ = lfilter([1.0], [1.0, -PHI], draw.normal(0, SHOCK, (count, days)), zi=PHI * start)
    values = np.exp(rules + walk + noise * draw.normal(size=(count, days)))
    panel = Panel(
        names=tuple(f"cafe-{i:02}" for i in range(1, count + 1)),
        values=values.astype(np.float32),
        known=known.astype(np.float32),
        columns=COLUMNS,
        times=times,
        offsets=np.zeros(days, np.int64),
        step=Step(seconds=DAY),
        season=7,
        context=56,
        horizon=14,
        oracle=Rules(rules, walk, noise),
    )
    return with_calendar(panel)


def _weather(times: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Temperature in °C and rain in 0 to 1 of each town, (TOWNS, T)."""
    days = len(times)
    phase = 2 * np.pi * (times.astype("datetime64[D]").astype(np.int64) - 105) / 365.25
    anomaly = lfilter([1.0], [1.0, -0.75], draw.normal(0, 2.6, (TOWNS, days)))
    wet = lfilter([1.0], [1.0, -0.5], draw.normal(0, 1, (TOWNS, days)))
    rain = np.clip(wet - 0.5, 0, 1.5) / 1.5
    return 12 + 10 * np.sin(phase) + anomaly - 2 * rain, rain


def _holidays(times: np.ndarray) -> np.ndarray:
    """1 on holidays, (T,): fixed ones, and Good Friday, Easter Monday, Ascension and Whit Monday."""
    dates = times.astype("datetime64[D]")
    fixed = {f"{month:02}-{day:02}" for month, day in FIXED}
    moving = set()
    for year in range(int(str(dates[0])[:4]), int(str(dates[-1])[:4]) + 1):
        moving |= {str(_easter(year) + after) for after in (-2, 1, 39, 50)}
    return np.array([str(date)[5:] in fixed or str(date) in moving for date in dates], float)


def _easter(year: int) -> np.datetime64:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher)."""
    a, (b, c) = year % 19, divmod(year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    d = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * d) // 451
    month, day = divmod(h + d - 7 * m + 114, 31)
    return np.datetime64(f"{year}-{month:02}-{day + 1:02}")


def _rules(
    times: np.ndarray, known: np.ndarray, offices: np.ndarray, level: np.ndarray, interaction: float
) -> np.ndarray:
    """log y without chance, (S, T)."""
    temperature, rain, holiday, event, terrace = np.moveaxis(known, 2, 0)
    near = offices[:, None]
    weekday = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7
    phase = 2 * np.pi * times.astype("datetime64[D]").astype(np.int64) / 365.25
    free = np.maximum(holiday, weekday >= 5)
    fine = np.tanh((temperature - 16) / 6) * (1 - rain) - 0.6 * rain
    large = expit(2 * (level - 4.6))[:, None]
    week = np.where(holiday > 0, 0, near * OFFICES[weekday] + (1 - near) * LEISURE[weekday])
    alone = 0.25 * fine * terrace + 0.1 * holiday + 0.15 * event + 0.08 * np.sin(phase)
    together = (
        terrace * fine * (0.9 * free - 0.1)
        + holiday * ((1 - near) * (0.35 + 0.35 * fine) - 1.2 * near)
        + event * (0.7 * (1 - large) * (1 - 0.8 * (rain > 0.2)) - 0.1)
    )
    return level[:, None] + week + alone + interaction * together


@dataclass(frozen=True)
class Rules:
    """Forecasts by whoever knows the rules: log y is normal around what they and the walk `a` of the last day say."""

    rules: np.ndarray
    walk: np.ndarray
    noise: float
    first: int = 0

    def part(self, first: int, last: int) -> "Rules":
        # the walk of the day before the first one is needed too
        return Rules(
            self.rules[:, : self.first + last], self.walk[:, : self.first + last], self.noise, self.first + first
        )

    def quantiles(self, rows: np.ndarray, origins: np.ndarray, horizon: int, levels: Sequence[float]) -> np.ndarray:
        """See `Oracle.quantiles`."""
        ahead = np.arange(1, horizon + 1)
        places = self.first + origins[:, None] + ahead - 1
        middle = self.rules[rows[:, None], places] + PHI**ahead * self.walk[rows, self.first + origins - 1][:, None]
        spread = np.sqrt(SHOCK**2 * (1 - PHI ** (2 * ahead)) / (1 - PHI**2) + self.noise**2)
        return np.exp(middle[:, :, None] + (spread[:, None] * ndtri(np.asarray(levels)))[None])
