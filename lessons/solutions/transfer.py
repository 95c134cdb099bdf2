"""One way to answer the exercises of lesson 10."""

import torch
from torch import Tensor, nn


def nearest_mean(features: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
    classes = labels.unique()
    means = torch.stack([features[labels == label].mean(dim=0) for label in classes])
    return classes[torch.cdist(queries, means).argmin(dim=1)]


def with_new_head(model: nn.Sequential, num_classes: int) -> nn.Sequential:
    *body, head = model
    for layer in body:
        layer.requires_grad_(False)
    return nn.Sequential(*body, nn.Linear(head.in_features, num_classes))


def layer_rates(num_layers: int, rate: float, factor: float) -> list[float]:
    return [rate * factor ** (num_layers - 1 - layer) for layer in range(num_layers)]
