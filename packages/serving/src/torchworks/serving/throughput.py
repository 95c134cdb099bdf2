"""Throughput of a busy model, and with it an estimate of how long a new request would wait.

A queue bounded by a number of rows is too long for a slow model and too short for a fast one. What callers feel is
time, so requests are refused by the time that they would wait: the queue's length divided by the
recent throughput. That counts all that a row passes, not the model alone (Little's law, L = λW).
"""

import math

WINDOW = 0.2
"""Seconds over which answered rows are counted, at least."""
NEWEST = 0.5
"""Weight of the newest window."""


class Throughput:
    """Rows per second; infinite until measured."""

    def __init__(self) -> None:
        self.rate = math.inf
        self._begin(None)

    def _begin(self, now: float | None) -> None:
        """A new window; None: when rows are answered next."""
        self._since, self._rows, self._least = now, 0, math.inf

    def answered(self, rows: int, waiting: int, enough: int, now: float) -> None:
        """So many rows were answered at `now` (seconds), and others were `waiting` behind them.

        A window in which more than `enough` rows always waited tells the rate. One in which fewer did tells only that
        it is not lower, and one in which none did tells nothing, as nobody knows for how long there was nothing to do.
        """
        self._rows += rows
        self._least = min(self._least, waiting)
        if self._since is None:
            self._begin(now)
        elif now - self._since >= WINDOW:
            self._learn(self._rows / (now - self._since), self._least > enough)
            self._begin(now)
        if not waiting:
            self._begin(None)

    def _learn(self, found: float, full: bool) -> None:
        if math.isinf(self.rate):
            self.rate = found if full else self.rate
        elif full or found > self.rate:
            self.rate += NEWEST * (found - self.rate)

    def seconds(self, rows: int) -> float:
        """Until so many rows are answered."""
        return rows / self.rate

    def room(self, seconds: float, least: int) -> float:
        """Rows that may be before a request: as many as are answered within `seconds`, and `least` in any case."""
        return max(self.rate * seconds, least)
