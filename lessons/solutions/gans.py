"""One way to answer the exercises of lesson 18."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def discriminator_loss(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-d(real)).mean() + F.softplus(d(fake.detach())).mean()


def r1_penalty(d: nn.Module, real: Tensor) -> Tensor:
    x = real.detach().requires_grad_()
    (slope,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return slope.square().flatten(1).sum(dim=1).mean()


def coverage(points: Tensor, centers: Tensor, radius: float, share: float) -> int:
    distance, nearest = torch.cdist(points, centers).min(dim=1)
    counts = torch.bincount(nearest[distance <= radius], minlength=len(centers))
    return int((counts >= share * len(points)).sum())
