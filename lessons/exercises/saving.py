"""Exercises of lesson 7, saving. Put your code where `...` stands, then: make check-lesson NAME=saving"""

from torch import Tensor, nn


def strip_prefix(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The state with `prefix` taken off the front of the names that have it. Other names stay, and so does `state`."""
    ...


def load_matching(model: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Load into the model each tensor of `state` whose name and shape the model knows. The model's names that got
    nothing, sorted."""
    ...


def freeze_except(model: nn.Module, prefixes: list[str]) -> int:
    """Let only those parameters learn whose name begins with one of the prefixes; all others are frozen.

    How many numbers (not tensors) can learn afterwards.
    """
    ...
