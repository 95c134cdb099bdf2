"""One way to answer the exercises of lesson 15."""

import torch
from torch import Tensor


def warmup_linear(step: int, warmup: int, steps: int) -> float:
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 1 - (step - warmup) / (steps - 1 - warmup)


def rounding_error(x: Tensor, dtype: torch.dtype) -> float:
    return ((x.to(dtype).double() - x) / x).abs().max().item()


def scaled_step(weight: Tensor, gradient: Tensor, scale: float, rate: float) -> tuple[Tensor, float]:
    if not gradient.isfinite().all():
        return weight, scale / 2
    return weight - rate * (gradient.float() / scale), scale
