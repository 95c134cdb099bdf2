"""One way to answer the exercises of lesson 13."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def log_uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    u = torch.rand(count, generator=generator)
    return torch.exp(math.log(low) + u * (math.log(high) - math.log(low)))


def choose(valid_scores: Tensor, test_scores: Tensor) -> tuple[int, float]:
    best = int(valid_scores.nan_to_num(nan=-math.inf).argmax())
    return best, float(test_scores[best])


def successive_halving(settings: list[float], score: Callable[[float, int], float], steps: int) -> float:
    alive = list(settings)
    while len(alive) > 1:
        scores = {setting: score(setting, steps) for setting in alive}
        alive = sorted(alive, key=scores.__getitem__, reverse=True)[: -(-len(alive) // 2)]
        steps *= 2
    return alive[0]
