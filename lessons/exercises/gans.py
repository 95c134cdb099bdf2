"""Exercises of lesson 18, gans. Put your code where `...` stands, then: make check-lesson NAME=gans"""

from torch import Tensor, nn


def discriminator_loss(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """softplus(-D(real)) + softplus(D(fake)), each the mean over its points; a tensor of shape ().

    `fake` comes from a generator, which must get no gradient from this loss.
    """
    ...


def r1_penalty(d: nn.Module, real: Tensor) -> Tensor:
    """The mean over the points `real` (N, …) of the squared length of D's slope there; a tensor of shape ().

    D treats its rows apart. The penalty can be minimised: it has a gradient for D's weights.
    """
    ...


def coverage(points: Tensor, centers: Tensor, radius: float, share: float) -> int:
    """How many centers (K, D) have at least `share` of all points (N, D) within `radius` and nearest to them."""
    ...
