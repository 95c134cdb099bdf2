"""Exercises of lesson 17, smaller. Put your code where `...` stands, then: make check-lesson NAME=smaller"""

from torch import Tensor, nn


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Integers (R, C) of type int8 between -127 and 127, and the scales (R, 1), of a matrix (R, C).

    The scale of a row is its largest absolute weight / 127. A row of zeros becomes zeros, without NaN.
    """
    ...


def prune_smallest(weight: Tensor, count: int) -> Tensor:
    """A copy in which the `count` weights of the smallest absolute value are 0. No two are of the same size."""
    ...


def remove_neurons(first: nn.Linear, second: nn.Linear, keep: Tensor) -> tuple[nn.Linear, nn.Linear]:
    """New layers that compute what `first` (F → H), ReLU and `second` (H → G) do with the neurons `keep` alone.

    `keep` (K,) holds indices from 0 to H - 1; the new layers are F → K and K → G. The given ones stay as they are.
    """
    ...
