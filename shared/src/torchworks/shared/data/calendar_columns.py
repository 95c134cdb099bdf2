"""Columns that a forecaster reads and that are made of time stamps. Imports no torch: a service uses it too.

    calendar_columns(times, ("hour_of_day", "day_of_week"))      # float32 (T, 2) of datetime64[s] (T,)

| column | |
|---|---|
| hour_of_day | 0 to 24, with minutes and seconds as its fraction |
| day_of_week | 0 (Monday) to 6 |
| day_of_year | 1 to 366 |
| month_of_year | 1 to 12 |

Times are those of the clock where they were written down.
"""

from collections.abc import Sequence

import numpy as np

CALENDAR = ("hour_of_day", "day_of_week", "day_of_year", "month_of_year")
HOUR = 3600


def calendar_columns(times: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """These columns of datetime64[s] (T,): float32 (T, K)."""
    if not names:
        return np.zeros((len(times), 0), np.float32)
    return np.stack([_column(times, name) for name in names], 1).astype(np.float32)


def _column(times: np.ndarray, name: str) -> np.ndarray:
    days = times.astype("datetime64[D]")
    if name == "hour_of_day":
        return (times - days).astype(np.int64) / HOUR
    if name == "day_of_week":
        return (days.astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday
    if name == "day_of_year":
        return (days - times.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1
    if name == "month_of_year":
        return times.astype("datetime64[M]").astype(np.int64) % 12 + 1
    raise ValueError(f"{name!r} is no column of the calendar: {', '.join(CALENDAR)}")
