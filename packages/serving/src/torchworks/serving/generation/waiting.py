"""How long a new text would wait, by the tokens that are before it.

A text of a thousand tokens keeps its place in the batch a thousand times as long as a text of one, so a number of
requests or rows says nothing of the wait. What does: the tokens that each row may still generate, the tokens of the
prompts that wait, and how long a step and a prompt's token take.
"""

import heapq
import math
from collections.abc import Iterable

NEWEST = 0.1
"""Weight of the newest measurement."""


class Pace:
    """Seconds that a step takes, whatever its number of rows, and seconds of a prompt's token."""

    def __init__(self) -> None:
        self.step = self.token = math.nan

    def stepped(self, seconds: float) -> None:
        """A step was computed."""
        self.step = _newer(self.step, seconds)

    def read(self, tokens: int, seconds: float) -> None:
        """Prompts of so many tokens were read."""
        self.token = _newer(self.token, seconds / tokens)

    def seconds(self, prompt: int, new: int) -> float:
        """That a text will take to read a prompt and generate so many tokens, once it has a place."""
        return prompt * self.token + new * self.step


def _newer(before: float, now: float) -> float:
    return now if math.isnan(before) else before + NEWEST * (now - before)


def seconds_until_free(places: int, running: Iterable[float], waiting: Iterable[float]) -> float:
    """Until a place is free for one more, if each text takes so many seconds: those that run from now on, those that
    wait from when they get the place that is free first. At most: a text may end earlier."""
    free = sorted(running)[-places:]
    free = [0.0] * (places - len(free)) + free
    heapq.heapify(free)
    for seconds in waiting:
        heapq.heapreplace(free, free[0] + seconds)
    return free[0]
