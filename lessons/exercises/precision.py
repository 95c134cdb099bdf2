"""Exercises of lesson 15, precision. Put your code where `...` stands, then: make check-lesson NAME=precision"""

import torch
from torch import Tensor


def warmup_linear(step: int, warmup: int, steps: int) -> float:
    """The factor of the learning rate at a step, 0 ≤ step < steps.

    It rises in a straight line: (step + 1) / (warmup + 1) while step < warmup. It is 1 at step `warmup` and falls in a
    straight line to 0 at the last step, steps - 1.
    """
    ...


def rounding_error(x: Tensor, dtype: torch.dtype) -> float:
    """The largest relative error when the numbers of `x` (float64, none of them 0) are written in `dtype`.

    |rounded - x| / |x|, computed in float64, as a plain float.
    """
    ...


def scaled_step(weight: Tensor, gradient: Tensor, scale: float, rate: float) -> tuple[Tensor, float]:
    """The new weight (float32), and the scale for the next step.

    `gradient` is float16 and was computed from a loss times `scale`. If all of it is finite: a step of plain gradient
    descent with the unscaled gradient, and the same scale. If not: no step, and half of the scale.
    """
    ...
