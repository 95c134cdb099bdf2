"""A temporal convolutional net: causal convolutions whose reach doubles from layer to layer.

Bai, Kolter, Koltun 2018, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
Modeling" (arXiv:1803.01271), section 3.

The idea: a convolution that looks back only, with gaps that double, sees exponentially far with few layers; all steps
are computed at once, and what it says at step t depends on nothing after t.

    F(s) = Σ_{i<k} f(i) · x_{s − d·i}               dilated convolution, d = 1, 2, 4, …     (equation 2)
    o = ReLU(x + F(x))                              residual block                          (equation 3)
    w = g · v / ‖v‖                                 weight norm (Salimans & Kingma 2016), of each filter

A block has two such convolutions, each with weight norm, ReLU and dropout, and a convolution of width 1 beside where
channels change. With kernel k and n blocks the last output sees 1 + 2 (k − 1)(2^n − 1) steps.

What differs from the paper: nothing; `reach` says how far it sees.

Shape letters: N rows, T steps, C channels, D channels of a block.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TCN(nn.Module):
    """(N, T, C) → (N, T, D), D the last of `widths`, for sequences of any length."""

    def __init__(self, channels: int, widths: Sequence[int] = (32, 32, 32, 32), *, kernel_size: int = 3,
                 drop_rate: float = 0.1):  # fmt: skip
        super().__init__()
        sizes = [channels, *widths]
        self.blocks = nn.ModuleList(
            Block(sizes[i], sizes[i + 1], kernel_size, 2**i, drop_rate) for i in range(len(widths))
        )
        self.reach = 1 + 2 * (kernel_size - 1) * (2 ** len(widths) - 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)


class Block(nn.Module):
    """(N, C, T) → (N, D, T)."""

    def __init__(self, channels: int, width: int, kernel_size: int, dilation: int, drop_rate: float):
        super().__init__()
        self.first = CausalConv(channels, width, kernel_size, dilation)
        self.second = CausalConv(width, width, kernel_size, dilation)
        self.dropout = nn.Dropout(drop_rate)
        self.beside = nn.Conv1d(channels, width, 1) if channels != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.dropout(F.relu(self.first(x)))
        y = self.dropout(F.relu(self.second(y)))
        return F.relu(y + self.beside(x))


class CausalConv(nn.Module):
    """A convolution that looks back, with weight norm: (N, C, T) → (N, D, T)."""

    def __init__(self, channels: int, width: int, kernel_size: int, dilation: int):
        super().__init__()
        made = nn.Conv1d(channels, width, kernel_size)
        self.v, self.bias = nn.Parameter(made.weight.detach().clone()), made.bias
        self.g = nn.Parameter(self.v.detach().norm(dim=(1, 2), keepdim=True))  # (D, 1, 1)
        self.before, self.dilation = (kernel_size - 1) * dilation, dilation

    @property
    def weight(self) -> Tensor:
        """g v / ‖v‖, (D, C, k)."""
        return self.g * self.v / torch.linalg.vector_norm(self.v, dim=(1, 2), keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(F.pad(x, (self.before, 0)), self.weight, self.bias, dilation=self.dilation)
