"""Channels in units of their own: mean 0 and standard deviation 1 over all steps of the training series.

Shape letters: N series, T steps, C channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.shared.data import TensorDataset


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each channel, (C,)."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, dataset: TensorDataset) -> "Scaling":
        """A channel that is the same everywhere has the standard deviation 1."""
        series, lengths = dataset.tensors["series"].double(), dataset.tensors["series_length"]
        rows = series[torch.arange(series.shape[1]) < lengths[:, None]]  # (steps, C)
        std = rows.std(0, correction=0)
        return cls(
            rows.mean(0).float(), torch.where(std > 1e-9 * rows.abs().amax(0).clamp(min=1e-20), std, 1.0).float()
        )

    def applied(self, series: Tensor, lengths: Tensor) -> Tensor:
        """Series (N, T, C) in these units; 0 in padding."""
        scaled = (series - self.mean.to(series.device)) / self.std.to(series.device)
        real = torch.arange(series.shape[1], device=series.device) < lengths[:, None]
        return scaled.masked_fill(~real[..., None], 0.0)
