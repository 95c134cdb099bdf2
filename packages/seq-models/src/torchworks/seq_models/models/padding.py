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


def last_before(x: Tensor, length: Tensor, count: int) -> Tensor:
    """The `count` moments of each row that come before its end: of x (N, count + T, C), which begins with `count`
    moments of the past, and of which `length` (N,), 0 to T, are real behind these; (N, count, C)."""
    places = length[:, None] + torch.arange(count, device=x.device)
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[2]))
