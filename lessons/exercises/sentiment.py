"""Exercises of lesson 22, sentiment. Put your code where `...` stands, then: make check-lesson NAME=sentiment"""

from torch import Tensor


def build_vocabulary(texts: list[str], least: int) -> dict[str, int]:
    """Numbers from 2 on for the words that stand at least `least` times in all texts together.

    Words are what spaces separate. The most frequent word gets 2, the next one 3; equally frequent ones come in the
    order of the alphabet, so that the same texts always give the same numbers.
    """
    ...


def masked_mean(vectors: Tensor, lengths: Tensor) -> Tensor:
    """The mean of the first `lengths[n]` vectors of text n: (N, T, D), (N,) → (N, D); what follows is padding.

    A text without words gets zeros. No loop over texts.
    """
    ...


def reverse_texts(words: Tensor, lengths: Tensor) -> Tensor:
    """Each row (N, T) with its first `lengths[n]` numbers in reverse order; its padding stays behind them."""
    ...
