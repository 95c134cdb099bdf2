"""One way to answer the exercises of lesson 1."""

import torch
from torch import Tensor


def standardize(table: Tensor) -> Tensor:
    centered = table - table.mean(dim=0)
    spread = table.std(dim=0, correction=0)
    return centered / torch.where(spread > 0, spread, 1.0)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    return (labels[:, None] == torch.arange(num_classes)).float()


def pairwise_distances(a: Tensor, b: Tensor) -> Tensor:
    return (a[:, None] - b[None]).square().sum(dim=2).sqrt()
