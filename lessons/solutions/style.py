"""One way to answer the exercises of lesson 20."""

from collections.abc import Callable

import torch
from torch import Tensor


def gram(maps: Tensor) -> Tensor:
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def total_variation(image: Tensor) -> Tensor:
    below = (image[:, :, 1:] - image[:, :, :-1]).abs().mean()
    beside = (image[:, :, :, 1:] - image[:, :, :, :-1]).abs().mean()
    return below + beside


def paint(start: Tensor, loss: Callable[[Tensor], Tensor], steps: int, rate: float) -> Tensor:
    image = start.detach().clone()
    for _ in range(steps):
        image.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(image), image)
        image = (image.detach() - rate * gradient).clamp(0, 1)
    return image.detach()
