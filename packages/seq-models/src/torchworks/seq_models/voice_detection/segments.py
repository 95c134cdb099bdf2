"""From the probability of speech at each frame to segments with a start and an end."""

from collections.abc import Sequence
from typing import NamedTuple

SECONDS_A_FRAME = 0.01


class Rules(NamedTuple):
    """Hysteresis: speech begins above `on` and lasts until it is below `off`."""

    on: float = 0.5
    off: float = 0.3
    shortest: float = 0.08
    """Seconds: shorter segments are none."""
    gap: float = 0.15
    """Seconds: shorter gaps are filled."""


def segments_of(probability: Sequence[float], rules: Rules = Rules()) -> list[tuple[float, float]]:  # noqa: B008
    """Starts and ends in seconds; frame t stands for the 10 ms around t · 10 ms."""
    found: list[list[float]] = []
    begun = None
    for t, p in enumerate([*probability, -1.0]):
        if begun is None and p >= rules.on:
            begun = t
        elif begun is not None and p < rules.off:
            start, end = (max(0.0, (place - 0.5) * SECONDS_A_FRAME) for place in (begun, t))
            if found and start - found[-1][1] < rules.gap:
                found[-1][1] = end
            else:
                found.append([start, end])
            begun = None
    return [(start, end) for start, end in found if end - start >= rules.shortest]
