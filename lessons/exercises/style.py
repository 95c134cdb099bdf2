"""Exercises of lesson 20, style. Put your code where `...` stands, then: make check-lesson NAME=style"""

from collections.abc import Callable

from torch import Tensor


def gram(maps: Tensor) -> Tensor:
    """The Gram matrices (N, C, C) of maps (N, C, H, W): element (n, i, j) is the mean of map i · map j over all
    places."""
    ...


def total_variation(image: Tensor) -> Tensor:
    """How rough images (N, C, H, W) are: the mean absolute difference of neighbors below each other, plus that of
    neighbors beside each other; a tensor of shape ()."""
    ...


def paint(start: Tensor, loss: Callable[[Tensor], Tensor], steps: int, rate: float) -> Tensor:
    """The image after `steps` of plain gradient descent on its pixels: image - rate · gradient of loss(image).

    After each step the pixels are cut to [0, 1]. The result carries no gradient history, and `start` stays as it is.
    """
    ...
