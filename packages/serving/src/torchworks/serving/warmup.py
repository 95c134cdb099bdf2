"""Before its first request a model is run as requests will run it: what an engine does once is done then, and how many
rows are best computed at once is measured.

On a GPU large batches are many times as fast per row. On a CPU a row often costs the same in any batch, and then
the first rows of a large one only wait for the last.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

BATCH_SECONDS = 1e-3
"""What handing a batch to the model and its answers back takes besides, while the event loop is busy too. In the closed
loop of `make bench-serving` batches of 1 row gave 700 right answers a second, of 4 785, of 8 to 32 from 830 to 910."""
ENOUGH = 0.9
"""Share of the highest speed that a smaller batch must reach to be preferred."""
SPENT = 1.0
"""Seconds after which no further size is measured."""
TIMES = 3


@dataclass(frozen=True)
class Best:
    """How many rows to compute at once, and how many a second that makes."""

    rows: int
    rate: float


def best_batch(run: Callable[[int], object], most: int) -> Best:
    """Of 1, 2, 4, … and `most` rows. `run` computes so many; what it raises is passed on."""
    seconds = {rows: _seconds(run, rows) for rows in {1, most}}
    until = time.perf_counter() + SPENT
    for rows in _sizes(most):
        for _ in range(TIMES):
            if time.perf_counter() < until:
                seconds[rows] = min(_seconds(run, rows), seconds.get(rows, float("inf")))
    rates = {rows: rows / (seconds[rows] + BATCH_SECONDS) for rows in sorted(seconds)}
    highest = max(rates.values())
    return next(Best(rows, rate) for rows, rate in rates.items() if rate >= ENOUGH * highest)


def _sizes(most: int) -> list[int]:
    return sorted({1 << power for power in range(most.bit_length())} | {most})


def _seconds(run: Callable[[int], object], rows: int) -> float:
    begun = time.perf_counter()
    run(rows)
    return time.perf_counter() - begun
