"""The last minute of a model, second by second, for people who watch."""

import threading
from typing import Any

import numpy as np

SECONDS = 60
EDGES = np.geomspace(1e-4, 100.0, 146)  # each 10 % above the one before


class Live:
    """Requests of each second, how many of them failed or were refused, and how long the answered ones took."""

    def __init__(self) -> None:
        self._second = np.zeros(SECONDS, np.int64)  # which second each place holds
        self._requests = np.zeros(SECONDS, np.int64)
        self._errors = np.zeros(SECONDS, np.int64)
        self._times = np.zeros((SECONDS, len(EDGES)), np.int64)
        self._lock = threading.Lock()

    def add(self, time: float, *, failed: bool, seconds: float | None) -> None:
        """One request at `time` in seconds, by a steady clock; `seconds` is how long its answer took."""
        second = int(time)
        place = second % SECONDS
        with self._lock:
            if self._second[place] != second:
                self._second[place], self._requests[place], self._errors[place] = second, 0, 0
                self._times[place] = 0
            self._requests[place] += 1
            self._errors[place] += failed
            if seconds is not None and not failed:
                self._times[place, min(int(np.searchsorted(EDGES, seconds)), len(EDGES) - 1)] += 1

    def report(self, now: float) -> list[dict[str, Any]]:
        """{"time", "requests", "errors", "p50", "p99"} of each of the last whole seconds, the oldest first; times in
        seconds, at most 10 % too large, None where nothing was answered."""
        with self._lock:
            return [self._of(second) for second in range(int(now) - SECONDS + 1, int(now))]

    def _of(self, second: int) -> dict[str, Any]:
        place = second % SECONDS
        here = self._second[place] == second
        times = self._times[place].cumsum()
        answered = here and times[-1] > 0
        p50, p99 = (float(EDGES[np.searchsorted(times, q * times[-1])]) if answered else None for q in (0.5, 0.99))
        requests, errors = (int(each[place]) if here else 0 for each in (self._requests, self._errors))
        return {"time": second, "requests": requests, "errors": errors, "p50": p50, "p99": p99}
