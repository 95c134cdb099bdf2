"""Exercises of lesson 12, attention. Put your code where `...` stands, then: make check-lesson NAME=attention"""

from torch import Tensor


def masked_attention(query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
    """Attention to the first `lengths[n]` keys of sample n; what follows is padding and has weight 0.

    query (N, L, d), key and value (N, S, d), lengths (N,) → (N, L, d). Without PyTorch's attention.
    """
    ...


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(N, L, D) → (N, num_heads, L, D / num_heads): head 0 has each place's first numbers, head 1 the next."""
    ...


def positions(length: int, size: int) -> Tensor:
    """The encoding of places of Vaswani et al. (2017), (length, size); `size` is even.

    Column 2i is sin(p / 10000^(2i / size)) at place p, column 2i + 1 the cosine of the same.
    """
    ...
