"""Rules with a memory: what they do depends on what they have seen before in the same episode.

Shapes: N observations, D numbers each.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Remembering:
    """A rule that plays with a memory. `step` maps observations (N, D) and the arrays (N, …) that it remembers to
    actions and to what it remembers next, as one tuple; `empty` is what it remembers of nothing, without N."""

    def __init__(self, step: Callable[..., tuple[Any, ...]], empty: Sequence[np.ndarray]):
        self.step, self.empty = step, empty

    def begin(self, episodes: int) -> Callable[[np.ndarray, list[int]], np.ndarray]:
        """A player of `episodes` new episodes: observations of some of them, and which, to their actions."""
        kept = [np.repeat(each[None], episodes, 0) for each in self.empty]

        def act(seen: np.ndarray, which: list[int]) -> np.ndarray:
            actions, *following = self.step(seen, *(each[which] for each in kept))
            for each, now in zip(kept, following, strict=True):
                each[which] = now
            return actions

        return act
