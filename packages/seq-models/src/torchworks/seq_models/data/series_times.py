"""Time stamps of series: how they are written, the time from one to the next, and what of them a forecast can use.

Times are kept as they are on the clock where they were written down, `datetime64[s]` (T,), beside the minutes that the
clock is ahead of UTC, int (T,). Steps are counted in UTC where the stamps have a zone, so that a clock that is put
forward makes no gap.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torchworks.shared.config import UserError
from torchworks.shared.data.calendar_columns import calendar_columns
from torchworks.shared.data.time_steps import TimeStep

DAY, WEEK = 86400, 7 * 86400
_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """The time from one step to the next: so many seconds, or so many months."""

    seconds: int = 0
    months: int = 0

    @property
    def iso(self) -> str:
        """As an ISO 8601 duration, such as PT1H."""
        return str(TimeStep(self.months, self.seconds))

    def counted(self, times: np.ndarray, first: np.datetime64) -> np.ndarray:
        """How many steps each time is after `first`, float (T,): not whole where a time is between two."""
        if not self.months:
            return (times - first).astype(np.int64) / self.seconds
        months = times.astype("datetime64[M]")
        within = (times - months.astype("datetime64[s]")).astype(np.int64)
        start = first.astype("datetime64[M]")
        shift = within - int((first - start.astype("datetime64[s]")).astype(np.int64))
        whole = (months - start).astype(np.int64) / self.months
        days_in = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
        last = within // DAY == days_in - 1  # the ends of months are as many months apart as their beginnings
        same = (shift == 0) | (last & bool(int(_day(first)) >= 28))
        return np.where(same, whole, whole + 0.5)

    def after(self, last: np.datetime64, count: int) -> np.ndarray:
        """The `count` times that follow `last`, datetime64[s] (count,)."""
        steps = np.arange(1, count + 1)
        if not self.months:
            return last + (steps * self.seconds).astype("timedelta64[s]")
        start = last.astype("datetime64[M]")
        months = start + steps * self.months
        within = int((last - start.astype("datetime64[s]")).astype(np.int64))
        days = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
        inside = np.minimum(within // DAY, days - 1) * DAY + within % DAY
        return months.astype("datetime64[s]") + inside.astype("timedelta64[s]")

    @property
    def season(self) -> int:
        """Steps of the season that data of this kind usually have: a day, a week, or a year."""
        if self.months:
            return max(1, 12 // self.months) if 12 % self.months == 0 else 1
        for span in (DAY, WEEK):
            if self.seconds < span and span % self.seconds == 0:
                return span // self.seconds
        return 52 if self.seconds == WEEK else 1


def _day(time: np.datetime64) -> int:
    return int((time.astype("datetime64[D]") - time.astype("datetime64[M]").astype("datetime64[D]")).astype(int)) + 1


def parse_step(text: str) -> Step:
    """The step that an ISO 8601 duration says. Raises `UserError`."""
    try:
        step = TimeStep.of(text)
        if step.seconds % 1:
            raise ValueError("steps are whole seconds")
    except ValueError as error:
        raise UserError(
            f"--loader.every is '{text}'; write an ISO 8601 duration, such as PT30M, PT1H, P1D, P1W or P1M (not months "
            "and days together)."
        ) from error
    return Step(int(step.seconds), step.months)


def parse_time(text: str) -> tuple[datetime.datetime, int | None]:
    """The time on the clock and the minutes that it is ahead of UTC, None without a zone. Raises `ValueError` for what
    is no date of the form YEAR-MONTH-DAY, with a time behind it or not."""
    found = _DATE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"'{text[:40]}' is no time stamp such as 2024-03-31 or 2024-03-31T14:30:00+02:00")
    year, month, day, rest = found.groups()
    rest = rest.strip(" T") or "00:00"
    try:
        time = datetime.datetime.fromisoformat(f"{year}-{int(month):02}-{int(day or 1):02}T{rest}")
    except ValueError as error:
        raise ValueError(f"'{text[:40]}' is no time stamp: {error}") from None
    if time.microsecond:
        raise ValueError(f"'{text[:40]}' has parts of a second, and steps are whole seconds")
    zone = time.utcoffset()
    return time.replace(tzinfo=None), None if zone is None else round(zone.total_seconds() / 60)


def commonest_step(times: Sequence[np.datetime64] | np.ndarray) -> Step:
    """The step that most of these times in UTC, sorted and each once, are apart; months where most are a month, or
    several, apart."""
    gaps = np.diff(np.asarray(times)).astype(np.int64)
    months = np.diff(np.asarray(times).astype("datetime64[M]")).astype(np.int64)
    values, counts = np.unique(gaps, return_counts=True)
    step = Step(seconds=int(values[counts.argmax()]))
    whole = months[(gaps >= 28 * DAY)]
    if len(whole) and step.seconds >= 28 * DAY:
        values, counts = np.unique(whole, return_counts=True)
        by_month = Step(months=int(values[counts.argmax()]))
        counted = by_month.counted(np.asarray(times), np.asarray(times)[0])
        if (counted % 1 == 0).mean() > 0.9:
            return by_month
    return step


def calendar(times: np.ndarray, step: Step) -> dict[str, np.ndarray]:
    """What the clock and the calendar say, by column, float32 (T,): hour_of_day 0 to 24 and day_of_week 0 (Monday) to 6
    where a step is shorter than these, day_of_year 1 to 366, and month_of_year 1 to 12 where steps are months."""
    if step.months:
        names = ["month_of_year"]
    else:
        there = {"hour_of_day": step.seconds < DAY, "day_of_week": step.seconds < WEEK, "day_of_year": True}
        names = [name for name, fits in there.items() if fits]
    return dict(zip(names, calendar_columns(times, names).T, strict=True))
