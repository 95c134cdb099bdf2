"""Stochastic depth: residual branches left out at random in training.

Huang, Sun, Liu, Sedra & Weinberger 2016, "Deep Networks with Stochastic Depth" (arXiv:1603.09382).
"""

import torch
from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """In training, an image's residual branch (N, …) is left out with probability `p`.

    What is kept is divided by 1 - p, so that the expectation stays and evaluation needs no change.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        keep = 1 - self.p
        mask = torch.empty(len(x), *[1] * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(keep)
        return x * (mask / keep if keep > 0 else mask)

    def extra_repr(self) -> str:
        return f"p={self.p:g}"
