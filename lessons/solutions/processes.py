"""One way to answer the exercises of lesson 16."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def my_rows(count: int, rank: int, world: int) -> list[int]:
    each = -(-count // world)
    return [(rank + world * i) % count for i in range(each)]


def mean_gradient(gradients: list[Tensor], sizes: list[int]) -> Tensor:
    weighted = [gradient * size for gradient, size in zip(gradients, sizes, strict=True)]
    return torch.stack(weighted).sum(dim=0) / sum(sizes)


def average_gradients(model: nn.Module, all_reduce: Callable[[Tensor], None], world: int) -> None:
    for parameter in model.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        all_reduce(parameter.grad)
        parameter.grad /= world
