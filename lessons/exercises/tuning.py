"""Exercises of lesson 13, tuning. Put your code where `...` stands, then: make check-lesson NAME=tuning"""

from collections.abc import Callable

import torch
from torch import Tensor


def log_uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    """`count` numbers between `low` and `high`, both positive, whose logarithms are evenly distributed.

    All chance comes from `generator`.
    """
    ...


def choose(valid_scores: Tensor, test_scores: Tensor) -> tuple[int, float]:
    """The index of the setting to take, and the score to report for it. Higher is better.

    A score on validation may be NaN: that trial diverged and is never taken.
    """
    ...


def successive_halving(settings: list[float], score: Callable[[float, int], float], steps: int) -> float:
    """The setting that survives. `score(setting, steps)` trains for so many steps; higher is better.

    All are trained for `steps` steps, the better half (rounded up) is kept and trained for twice as many, and so on
    until one is left. Each setting that is alive is scored once in each round.
    """
    ...
