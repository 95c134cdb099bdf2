"""What nets that tell the class of a series have in common: features of each step, their mean, a linear layer.

Lin, Chen & Yan 2014, "Network In Network" (arXiv:1312.4400), section 3.2: global average pooling instead of fully
connected layers. Zhou et al. 2016, "Learning Deep Features for Discriminative Localization" (arXiv:1512.04150),
equations 1 and 2: as the classes' scores are linear in the mean, each step's share in them is known exactly,

    logits_k = b_k + 1/T Σ_t M_k(t),        M_k(t) = w_k · f_t        (the class activation map)

What differs from the papers: series may be padded at their end. The mean is over the real steps alone, and nets see to
it that no real step's features depend on what is padding.

Shape letters: N series, T steps, C channels, F features, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SeriesClassifier(nn.Module):
    """Series (N, T, C) and their lengths, int64 (N,) from 1 to T → logits (N, K), K = `num_classes`. Subclasses
    compute `features`."""

    def __init__(self, features: int, num_classes: int, drop_rate: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(drop_rate)
        self.classifier = nn.Linear(features, num_classes)

    def features(self, x: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
        """x (N, T, C), 0 where `real`, bool (N, T), is False → features of each step (N, T, F)."""
        raise NotImplementedError

    def forward(self, series: Tensor, lengths: Tensor) -> Tensor:
        found, real = self._features(series, lengths)
        mean = (found * real[..., None]).sum(1) / lengths.clamp(min=1)[:, None]
        return self.classifier(self.dropout(mean))

    def activations(self, series: Tensor, lengths: Tensor) -> Tensor:
        """The class activation maps M (N, T, K): their mean over a series's steps and the bias are the logits. 0 in
        padding."""
        found, real = self._features(series, lengths)
        return F.linear(found, self.classifier.weight) * real[..., None]

    def _features(self, series: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        real = torch.arange(series.shape[1], device=series.device) < lengths[:, None]  # (N, T)
        return self.features(series.masked_fill(~real[..., None], 0.0), real, lengths), real


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch normalization of x (N, F, T) by the statistics of real steps alone; 0 where `real` (N, T) is False."""

    def forward(self, x: Tensor, real: Tensor) -> Tensor:  # ty: ignore[incompatible-method-override]
        if not self.training:
            return super().forward(x) * real[:, None]
        rows = super().forward(x.transpose(1, 2)[real])  # (real steps, F)
        filled = rows.new_zeros(x.shape[0], x.shape[2], x.shape[1])
        return filled.masked_scatter(real[..., None], rows).transpose(1, 2)


class SameConv(nn.Conv1d):
    """A convolution along time (N, C, T) → (N, F, T) with zeros around the series; an even kernel has one zero more
    behind than before it."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True):
        super().__init__(in_channels, out_channels, kernel_size, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        width = self.kernel_size[0]
        return super().forward(F.pad(input, ((width - 1) // 2, width // 2)))
