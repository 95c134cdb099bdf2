"""How fast models answer, measured in turns: what slows the machine for a while slows all of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torchworks.serving.engine import Engine
from torchworks.serving.export.trained import Samples

BATCHES = (1, 8, 32)
WARM_UP, LEAST = 3, 10
"""Runs before measuring, and the fewest that are measured."""
PATIENCE = 20.0
"""Seconds for one size of batch after which fewer do."""


@dataclass(frozen=True)
class Speed:
    """Of batches of `batch` rows: median and 99th percentile of seconds over `runs`, and rows per second."""

    batch: int
    p50: float
    p99: float
    rows_per_second: float
    runs: int


def race(engines: Sequence[Engine], samples: Samples, seconds: float) -> list[list[Speed]]:
    """For each engine its speed at each of `BATCHES`. Each round runs every engine once, until they have had `seconds`
    each on average. Without `seconds` nothing is measured."""
    if not seconds:
        return [[] for _ in engines]
    by_batch = [_turns(engines, samples, batch, seconds) for batch in BATCHES]
    return [list(speeds) for speeds in zip(*by_batch, strict=True)]


def _turns(engines: Sequence[Engine], samples: Samples, batch: int, seconds: float) -> list[Speed]:
    inputs = samples.rows(np.arange(batch) % len(samples)).inputs
    begun = time.perf_counter()
    for _ in range(WARM_UP):
        for engine in engines:
            engine.run(inputs)
        if _passed(begun) > PATIENCE / 2:
            break
    times: list[list[float]] = [[] for _ in engines]
    end = time.perf_counter() + seconds * len(engines)
    while not times[0] or (len(times[0]) < LEAST and _passed(begun) < PATIENCE) or time.perf_counter() < end:
        for engine, spent in zip(engines, times, strict=True):
            start = time.perf_counter()
            engine.run(inputs)
            spent.append(time.perf_counter() - start)
    return [_summary(batch, np.array(spent)) for spent in times]


def _passed(begun: float) -> float:
    return time.perf_counter() - begun


def _summary(batch: int, spent: np.ndarray) -> Speed:
    p50, p99 = np.percentile(spent, [50, 99])
    return Speed(batch, float(p50), float(p99), float(batch * len(spent) / spent.sum()), len(spent))
