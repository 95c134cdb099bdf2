"""NLinear: one linear layer from the past to the future, the last value taken off before and put back after.

Zeng, Chen, Zhang, Xu 2023, "Are Transformers Effective for Time Series Forecasting?" (arXiv:2205.13504), section 4.

The idea: each future value is a weighted sum of past ones. Where a series has wandered to another level, the weights
would carry the old level along; without the last value, they only know differences.

    ŷ = x_L + W (x − x_L) + b

What differs from the paper: nothing.

Shape letters: N rows, L steps of the past, H steps of the future, C channels.
"""

import torch
from torch import Tensor, nn


class NLinear(nn.Module):
    """(N, L, C) → (N, H, C), the same weights for all channels or, with `individual`, others for each."""

    def __init__(self, context: int, horizon: int, *, channels: int = 1, individual: bool = False):
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(context, horizon) for _ in range(channels if individual else 1))

    def forward(self, x: Tensor) -> Tensor:
        last = x[:, -1:]  # (N, 1, C)
        past = (x - last).transpose(1, 2)  # (N, C, L)
        if len(self.linears) == 1:
            future = self.linears[0](past)
        else:
            future = torch.stack([linear(past[:, i]) for i, linear in enumerate(self.linears)], 1)
        return future.transpose(1, 2) + last
