"""One way to answer the exercises of lesson 3."""

from itertools import pairwise

import torch
from torch import Tensor


def neuron(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.sigmoid(x @ weight + bias)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    shifted = logits - logits.max(dim=1, keepdim=True).values  # softmax does not change, and exp stays finite
    log_probabilities = shifted - shifted.exp().sum(dim=1, keepdim=True).log()
    return -log_probabilities[torch.arange(len(labels)), labels].mean()


def count_weights(sizes: list[int]) -> int:
    return sum(inputs * outputs + outputs for inputs, outputs in pairwise(sizes))
