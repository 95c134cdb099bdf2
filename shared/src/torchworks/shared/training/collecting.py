"""Metrics over whole sets of rows, with the methods of torchmetrics' `Metric` but without importing it: that takes as
long as PyTorch itself, since it brings SciPy and matplotlib along."""

from typing import Any, ClassVar

import torch
import torch.distributed as dist
from torch import Tensor, nn


class CollectingMetric(nn.Module):
    """Collects rows in named lists until `compute`; the trainer takes it as it takes a `torchmetrics.Metric`.

    A subclass names its lists in `collected`, appends tensors (n, …) to them in `update`, and reads them in `compute`
    by `rows`.
    """

    collected: ClassVar[tuple[str, ...]] = ()
    sync_on_compute = True
    """Whether `rows` gives those of all processes."""
    _place: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_place", torch.empty(0), persistent=False)
        self.reset()

    @property
    def device(self) -> torch.device:
        return self._place.device

    def reset(self) -> None:
        """Forget all rows."""
        for name in self.collected:
            setattr(self, name, [])

    def rows(self, name: str) -> Tensor | None:
        """The rows collected under `name`, (N, …), one process's after the other's; None if there are none."""
        parts = list(getattr(self, name))
        if self.sync_on_compute and dist.is_initialized() and dist.get_world_size() > 1:
            of_all: list[Any] = [None] * dist.get_world_size()
            dist.all_gather_object(of_all, [part.cpu() for part in parts])
            parts = [part.to(self.device) for each in of_all for part in each]
        return torch.cat(parts) if parts else None
