"""An Inception network that tells the class of a series.

Ismail Fawaz et al. 2020, "InceptionTime: Finding AlexNet for Time Series Classification" (arXiv:1909.04939), section 3.

The idea: a module looks at the series with long and short filters at once (figure 2): a bottleneck of one step reduces
the channels, convolutions of 40, 20 and 10 steps read it, and beside them a maximum over three steps. Six modules, a
shortcut around every third (figure 1), then the mean over time.

What differs from the paper: InceptionTime is an ensemble of five such networks, this is one of them. Series may differ
in length and are padded; batch normalization and the mean are over real steps.

Shape letters: N series, T steps, C channels, F filters.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.seq_models.models.series_classifier import MaskedBatchNorm, SameConv, SeriesClassifier

RESIDUAL = 3
"""Modules that a shortcut goes around."""


class InceptionTime(SeriesClassifier):
    """See `SeriesClassifier`. `filters` are those of each of a module's four branches."""

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        filters: int = 32,
        kernels: Sequence[int] = (40, 20, 10),
        depth: int = 6,
        bottleneck: int = 32,
        drop_rate: float = 0.0,
    ):
        width = (len(kernels) + 1) * filters
        super().__init__(width, num_classes, drop_rate)
        inputs = [in_channels, *[width] * (depth - 1)]
        self.blocks = nn.ModuleList(InceptionModule(each, filters, kernels, bottleneck) for each in inputs)
        starts = range(0, depth - RESIDUAL + 1, RESIDUAL)
        self.shortcuts = nn.ModuleList(SameConv(inputs[i], width, 1, bias=False) for i in starts)
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for _ in starts)

    def features(self, x: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
        x = before = x.transpose(1, 2)  # (N, C, T)
        for i, block in enumerate(self.blocks):
            x = block(x, real)
            if i % RESIDUAL == RESIDUAL - 1:
                x = (x + self.norms[i // RESIDUAL](self.shortcuts[i // RESIDUAL](before), real)).relu()
                before = x
        return x.transpose(1, 2)


class InceptionModule(nn.Module):
    """x (N, C, T), 0 in padding → (N, branches · F, T), 0 in padding."""

    def __init__(self, in_channels: int, filters: int, kernels: Sequence[int], bottleneck: int):
        super().__init__()
        narrow = in_channels > 1  # one channel needs no bottleneck
        self.bottleneck = SameConv(in_channels, bottleneck, 1, bias=False) if narrow else nn.Identity()
        inputs = bottleneck if narrow else in_channels
        self.convs = nn.ModuleList(SameConv(inputs, filters, kernel, bias=False) for kernel in kernels)
        self.pooled = SameConv(in_channels, filters, 1, bias=False)
        self.norm = MaskedBatchNorm((len(kernels) + 1) * filters)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        narrow = self.bottleneck(x)
        least = torch.finfo(x.dtype).min  # so that padding is never the maximum
        around = F.pad(x.masked_fill(~real[:, None], least), (1, 1), value=least)
        largest = torch.maximum(torch.maximum(around[..., :-2], around[..., 1:-1]), around[..., 2:])  # over three steps
        largest = largest.masked_fill(~real[:, None], 0.0)
        found = torch.cat([*(conv(narrow) for conv in self.convs), self.pooled(largest)], 1)
        return self.norm(found, real).relu()
