"""Exercises of lesson 16, processes. Put your code where `...` stands, then: make check-lesson NAME=processes"""

from collections.abc import Callable

from torch import Tensor, nn


def my_rows(count: int, rank: int, world: int) -> list[int]:
    """The samples of process `rank` of `world`: rank, rank + world, rank + 2 · world, …

    All processes have as many: where `count` samples do not suffice, it goes on from sample 0. Each sample is with
    somebody. For count 5 and world 2: [0, 2, 4] and [1, 3, 0].
    """
    ...


def mean_gradient(gradients: list[Tensor], sizes: list[int]) -> Tensor:
    """The gradient of the whole batch from those of its parts; part i has `sizes[i]` samples.

    Each gradient is that of the mean loss of its part.
    """
    ...


def average_gradients(model: nn.Module, all_reduce: Callable[[Tensor], None], world: int) -> None:
    """Replace each gradient of the model by its mean over all processes, in place.

    `all_reduce(tensor)` replaces the tensor by the sum of those of all processes. Every process must call it as often
    and in the same order: a parameter without a gradient here may have one elsewhere, and counts as zeros.
    """
    ...
