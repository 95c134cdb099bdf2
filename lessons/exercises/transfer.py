"""Exercises of lesson 10, transfer. Put your code where `...` stands, then: make check-lesson NAME=transfer"""

from torch import Tensor, nn


def nearest_mean(features: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
    """For each query, (M, D), the class whose mean feature is the nearest: (M,) int64.

    `features` is (N, D), `labels` (N,). Classes need not be 0, 1, 2 …: the answer holds labels as they are given.
    """
    ...


def with_new_head(model: nn.Sequential, num_classes: int) -> nn.Sequential:
    """A net that shares all layers of `model` but the last, a `Linear`, and has a new `Linear` for `num_classes` there.

    Of its parameters only those of the new head can learn. `model` keeps its own head.
    """
    ...


def layer_rates(num_layers: int, rate: float, factor: float) -> list[float]:
    """A learning rate for each layer, the first layer first: the last has `rate`, and each one before it `factor` times
    that of the next."""
    ...
