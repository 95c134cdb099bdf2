"""One way to answer the exercises of lesson 4."""

import torch
from torch import Tensor


def huber(error: Tensor, delta: float) -> Tensor:
    far = error.abs()
    return torch.where(far <= delta, 0.5 * error**2, delta * (far - delta / 2))


def momentum_step(weight: Tensor, gradient: Tensor, velocity: Tensor, lr: float, keep: float) -> tuple[Tensor, Tensor]:
    velocity = keep * velocity + gradient
    return weight - lr * velocity, velocity


def best_constant(y: Tensor, loss: str) -> float:
    return (y.mean() if loss == "squared" else y.median()).item()
