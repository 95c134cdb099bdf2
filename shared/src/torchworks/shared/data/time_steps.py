"""Time stamps of series, and the step from one to the next. Imports no torch: a service uses it too.

    step = TimeStep.of("PT1H")                       # an ISO 8601 duration
    step.after(stamp_of("2024-05-01 22:00"), 3)      # 2024-05-02 01:00
    step_between(stamps)                             # the step of regular stamps; raises `IrregularStamps` for others

Months and years are those of the calendar: a month after January 31 is the last day of February, and one more is March
31.
"""

import calendar
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_UNITS = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
_MONTH = re.compile(r"\d{4}-\d{2}")
_YEAR = re.compile(r"\d{4}")


class IrregularStamps(Exception):
    """Why stamps are not regular, in a few words, and at which of them (from 0 on)."""

    def __init__(self, why: str, place: int):
        super().__init__(why)
        self.place = place


@dataclass(frozen=True)
class TimeStep:
    """From one stamp to the next: months of the calendar, or seconds."""

    months: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if (self.months > 0) == (self.seconds > 0) or self.months < 0 or self.seconds < 0:
            raise ValueError("A step is a number of months, or of seconds, above 0.")

    @classmethod
    def of(cls, text: str) -> "TimeStep":
        """Of an ISO 8601 duration, such as PT15M, P1D, P1M. Raises `ValueError` for anything else, and for months and
        seconds together."""
        found = _DURATION.fullmatch(text)
        given = {name: float(value) for name, value in found.groupdict().items() if value} if found else {}
        if not given:
            raise ValueError(f"'{text}' is no duration such as PT15M, PT1H, P1D or P1M.")
        months = int(12 * given.pop("years", 0) + given.pop("months", 0))
        return cls(months, sum(_UNITS[name] * value for name, value in given.items()))

    def __str__(self) -> str:
        if self.months:
            return f"P{self.months // 12}Y" if self.months % 12 == 0 else f"P{self.months}M"
        for letter, size in (("W", 604_800), ("D", 86_400)):
            if self.seconds % size == 0:
                return f"P{int(self.seconds // size)}{letter}"
        for letter, size in (("H", 3600), ("M", 60)):
            if self.seconds % size == 0:
                return f"PT{int(self.seconds // size)}{letter}"
        return f"PT{self.seconds:g}S"

    def after(self, stamp: datetime, count: int) -> datetime:
        """The stamp `count` steps after, or before if that is negative."""
        if self.seconds:
            return stamp + timedelta(seconds=self.seconds * count)
        month = stamp.month - 1 + self.months * count
        year, month = stamp.year + month // 12, month % 12 + 1
        return stamp.replace(year=year, month=month, day=min(stamp.day, calendar.monthrange(year, month)[1]))

    def check(self, stamps: Sequence[datetime]) -> None:
        """Raise `IrregularStamps` unless each stamp is a step after the one before."""
        longest = max(stamps, key=lambda stamp: stamp.day) if self.months and stamps else None
        for place in range(1, len(stamps)):
            before, stamp = stamps[place - 1], stamps[place]
            if stamp <= before:
                what = "is repeated" if stamp == before else f"comes after {before.isoformat(' ')}"
                raise IrregularStamps(f"{stamp.isoformat(' ')} {what}", place)
            expected = self.after(before, 1)
            if longest is not None:  # the day of a month that has it, so that February does not shorten March
                days = calendar.monthrange(expected.year, expected.month)[1]
                expected = expected.replace(day=min(longest.day, days))
            if stamp != expected:
                why = f"after {before.isoformat(' ')} comes {stamp.isoformat(' ')}, and not {expected.isoformat(' ')}"
                raise IrregularStamps(why, place)


def stamp_of(text: str) -> datetime:
    """A time stamp in ISO 8601, also with a space for T, with slashes, or a month or a year alone. Raises
    `ValueError`."""
    text = text.strip()
    if re.match(r"\d{4}/", text):
        text = text.replace("/", "-")
    if _MONTH.fullmatch(text):
        text += "-01"
    elif _YEAR.fullmatch(text):
        text += "-01-01"
    return datetime.fromisoformat(text)


def step_between(stamps: Sequence[datetime]) -> TimeStep:
    """The step of at least two stamps. Raises `IrregularStamps` where they have none: it is the most frequent one, and
    the first stamp that does not fit is told."""
    if len(stamps) < 2:
        raise IrregularStamps("one stamp alone has no step", 0)
    if any((a.tzinfo is None) != (b.tzinfo is None) for a, b in pairwise(stamps)):
        place = next(i for i in range(1, len(stamps)) if (stamps[i].tzinfo is None) != (stamps[0].tzinfo is None))
        raise IrregularStamps("some stamps have a time zone and others have none", place)
    gaps = [(after - before).total_seconds() for before, after in pairwise(stamps)]
    positive = [gap for gap in gaps if gap > 0]
    if not positive:
        place = next(i for i, gap in enumerate(gaps, 1) if gap <= 0)
        raise IrregularStamps(f"{stamps[place].isoformat(' ')} does not come after the stamp before it", place)
    step = _monthly(stamps) or TimeStep(seconds=max(sorted(set(positive)), key=positive.count))
    step.check(stamps)
    return step


def _monthly(stamps: Sequence[datetime]) -> TimeStep | None:
    """A step of whole months, if the first two stamps are on the same day of different months, or on last days."""
    first, second = stamps[0], stamps[1]
    months = 12 * (second.year - first.year) + second.month - first.month
    if months < 1 or first.timetz() != second.timetz():
        return None
    last = all(stamp.day == calendar.monthrange(stamp.year, stamp.month)[1] for stamp in (first, second))
    return TimeStep(months=months) if first.day == second.day or last else None
