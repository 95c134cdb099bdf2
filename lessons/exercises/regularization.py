"""Exercises of lesson 8, regularization. Put your code where `...` stands, then:
make check-lesson NAME=regularization"""

from torch import Tensor, nn


def dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Set each element to 0 with probability `rate`, and enlarge the others so that the expected value stays; outside
    of training change nothing. Without PyTorch's dropout. `rate` lies in [0, 1)."""
    ...


def ridge_weights(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """The weights w, (D,), with the lowest |x @ w - y|² + strength · |w|², for x (N, D) and y (N,)."""
    ...


def decay_groups(model: nn.Module) -> tuple[list[str], list[str]]:
    """The names of the parameters with weight decay, and of those without, each in the model's order.

    Matrices and filters decay; everything with fewer than two dimensions (biases, scales of norms) does not.
    """
    ...
