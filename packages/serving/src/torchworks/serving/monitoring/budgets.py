"""What a service promises, and how much of the room for failure is used up.

An objective of 99.9 % leaves a budget of 0.1 %. The burn rate is the share of bad requests in some time over that
budget: at rate 1 the budget lasts exactly its days. An alert needs two windows, a long one (it is no blip) and a short
one (it still goes on), as in chapter 5 of Google's Site Reliability Workbook, "Alerting on SLOs", table 5-8: 2 % of the
budget used in an hour or 5 % in six hours are worth a page, 10 % in three days a ticket.

Counted in memory by minutes: a restarted service begins anew, and says since when it counts.
"""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

HOUR, DAY = 60, 1440
"""In minutes."""
WINDOWS = {"5m": 5, "30m": 30, "1h": HOUR, "6h": 6 * HOUR, "3d": 3 * DAY}
TOTAL, FAILED, ANSWERED, SLOW = range(4)
LEAST_BAD = 5
"""Bad requests in the long window below which there is no alert: with little traffic, one failure is no fire."""


@dataclass(frozen=True)
class Alert:
    """Raised when `share` of the budget is used within `long`, and at the same rate within `short`."""

    name: str
    share: float
    long: str
    short: str

    def rate(self, days: int) -> float:
        """The burn rate from which it is raised, for a budget of so many days."""
        return self.share * days * DAY / WINDOWS[self.long]


ALERTS = (Alert("page", 0.02, "1h", "5m"), Alert("page", 0.05, "6h", "30m"), Alert("ticket", 0.1, "3d", "6h"))


@dataclass(frozen=True)
class Objectives:
    """`latency_share` of answers within `latency` seconds, `success_share` of requests not failed, over `days`."""

    latency: float
    latency_share: float
    success_share: float
    days: int


class Budget:
    """The requests of one model, in a ring of minutes; from any thread."""

    def __init__(self, objectives: Objectives):
        self.objectives = objectives
        self._minutes = objectives.days * DAY
        self._counts = np.zeros((4, self._minutes), np.uint32)
        self._cells = self._counts.data  # single numbers change faster by it
        self._first = self._newest = 0
        self._lock = threading.Lock()

    def add(self, time: float, *, failed: bool, seconds: float | None) -> None:
        """A request at `time` (seconds, steady); `seconds` until its answer, if it counts for the latency."""
        minute = int(time // 60)
        with self._lock:
            self._advance(minute)
            if minute <= self._newest - self._minutes:
                return
            place = minute % self._minutes
            self._cells[TOTAL, place] += 1
            self._cells[FAILED, place] += failed
            if seconds is not None:
                self._cells[ANSWERED, place] += 1
                self._cells[SLOW, place] += seconds > self.objectives.latency

    def report(self, now: float) -> dict[str, Any]:
        """{"days", "counted_days", "latency", "errors"}, the last two: {"objective", "requests", "bad", "left" (share
        of the budget; below 0 it is overdrawn), "burn": {window: rate}, "alert": "page", "ticket" or ""}."""
        goals = self.objectives
        with self._lock:
            self._advance(int(now // 60))
            sums = {name: self._sum(minutes) for name, minutes in WINDOWS.items()}
            sums["all"] = self._counts.sum(1, dtype=np.int64)
        counted = min(goals.days, (self._newest - self._first + 1) / DAY) if self._first else 0.0
        return {
            "days": goals.days,
            "counted_days": counted,
            "latency": {"seconds": goals.latency, **self._objective(goals.latency_share, ANSWERED, SLOW, sums)},
            "errors": self._objective(goals.success_share, TOTAL, FAILED, sums),
        }

    def _objective(self, share: float, total: int, bad: int, sums: dict[str, np.ndarray]) -> dict[str, Any]:
        rates = {name: float(_share(counts[bad], counts[total]) / (1 - share)) for name, counts in sums.items()}
        raised = [alert.name for alert in ALERTS if self._raised(alert, rates, int(sums[alert.long][bad]))]
        return {
            "objective": share,
            "requests": int(sums["all"][total]),
            "bad": int(sums["all"][bad]),
            "left": 1 - rates.pop("all"),
            "burn": rates,
            "alert": raised[0] if raised else "",
        }

    def _raised(self, alert: Alert, rates: dict[str, float], bad: int) -> bool:
        limit = alert.rate(self.objectives.days)
        return bad >= LEAST_BAD and rates[alert.long] >= limit and rates[alert.short] >= limit

    def _advance(self, minute: int) -> None:
        """Empty the places of minutes that begin."""
        self._first = self._first or minute
        if minute > self._newest:
            begun = np.arange(max(self._newest + 1, minute - self._minutes + 1), minute + 1)
            self._counts[:, begun % self._minutes] = 0
            self._newest = minute

    def _sum(self, minutes: int) -> np.ndarray:
        last = np.arange(self._newest - minutes + 1, self._newest + 1) % self._minutes
        return self._counts[:, last].sum(1, dtype=np.int64)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
