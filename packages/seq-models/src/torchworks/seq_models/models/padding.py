"""Rows of different lengths, as recurrent nets want them: real tokens first."""

import torch
from torch import Tensor


def lengths_of(tokens: Tensor, padding: int = 0) -> Tensor:
    """The number of tokens of each row (N, T) before those that are `padding`: (N,)."""
    return (tokens != padding).sum(1)


def moved_to_front(tokens: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """The `real` tokens of each row (N, T) at its beginning, in their order, with 0 behind them; and how many they are,
    (N,)."""
    beyond = tokens.new_zeros(tokens.shape[0], tokens.shape[1] + 1)  # what is not real goes to the place T
    places = torch.where(real, real.cumsum(1) - 1, tokens.shape[1])
    return beyond.scatter(1, places, tokens)[:, :-1], real.sum(1)
