"""Windows of all series of a panel, without a copy of any: a batch is read through one strided view (`unfold`), so that
all forecasts of a back-test can be made at once.

Shape letters: N windows, S series, T time steps, L steps of the past, H steps of the future, K known columns.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from torchworks.seq_models.data.series_panel import Panel, filled, filled_known
from torchworks.shared.data import Field, Loader, Schema
from torchworks.shared.data.loaders import Batch, to_device

LEAST_KNOWN = 0.5
"""Share of a past that has to be there, for a window to be used."""


class Cells:
    """The series with their gaps filled, on a device, and what a window of them is."""

    def __init__(self, panel: Panel, context: int, horizon: int, device: torch.device | str = "cpu"):
        self.panel, self.context, self.horizon = panel, context, horizon
        values = torch.from_numpy(filled(panel.values, panel.season))[..., None]
        whole = torch.cat([values, torch.from_numpy(filled_known(panel.known))], 2).float().to(device)
        self.truth = torch.from_numpy(panel.values.copy()).to(device)  # (S, T), NaN in gaps
        if panel.steps < context + horizon:
            self.view, self.future = whole.new_zeros(0), whole.new_zeros(0)
            return
        self.view = whole.unfold(1, context + horizon, 1)  # (S, T - L - H + 1, 1 + K, L + H)
        self.future = self.truth.unfold(1, horizon, 1)  # (S, T - H + 1, H)

    def windows(self, first: int, last: int, stride: int = 1) -> Tensor:
        """The windows whose future lies in the steps from `first` to before `last`: series and origin, the first step
        of the future, int64 (M, 2). Left out are those whose past is largely missing, or all of whose future is."""
        origins = np.arange(max(first, self.context), last - self.horizon + 1, stride)
        there = np.pad((~np.isnan(self.panel.values)).cumsum(1), ((0, 0), (1, 0)))  # of the steps before
        past = there[:, origins] - there[:, origins - self.context] >= LEAST_KNOWN * self.context
        future = there[:, origins + self.horizon] > there[:, origins]
        rows, places = np.nonzero(past & future)
        return torch.from_numpy(np.stack([rows, origins[places]], 1))

    def take(self, windows: Tensor) -> Batch:
        """series (N, L, 1 + K), known (N, H, K), target (N, H), NaN where it is not known, and row (N,)."""
        row, origin = windows.unbind(1)
        whole = self.view[row, origin - self.context].transpose(1, 2)  # (N, L + H, 1 + K)
        return {
            "series": whole[:, : self.context].contiguous(),
            "known": whole[:, self.context :, 1:].contiguous(),
            "target": self.future[row, origin],
            "row": row,
        }

    def ahead(self, windows: Tensor) -> Tensor:
        """The futures with their gaps filled, (N, H)."""
        row, origin = windows.unbind(1)
        return self.view[row, origin - self.context, 0, self.context :]


class WindowSet:
    """Chosen windows as a data set."""

    def __init__(self, cells: Cells, windows: Tensor):
        self.cells, self.windows = cells, windows
        width = len(cells.panel.columns)
        self.schema = Schema(
            (
                Field("series", "series", (cells.context, 1 + width)),
                Field("known", "series", (cells.horizon, width)),
                Field("target", "series", (cells.horizon,)),
                Field("row", "id", (), size=len(cells.panel)),
            )
        )

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {name: value[0].cpu() for name, value in self.cells.take(self.windows[i : i + 1]).items()}

    def whole(self) -> Batch:
        """All windows as one batch."""
        return self.cells.take(self.windows)


class WindowLoader(Loader):
    """Batches of chosen windows, with `index`, the number of each."""

    def __init__(self, windows: WindowSet, batch_size: int, *, seed: int = 0, device: torch.device | str = "cpu",
                 train: bool = True, rank: int = 0, world: int = 1):  # fmt: skip
        self._set, self._windows = windows, windows.windows.to(device)
        super().__init__(windows, batch_size, seed=seed, device=device, train=train, rank=rank, world=world)

    def iter_from(self, position: int) -> Iterator[Batch]:
        return map(self._take, self.order.endless(position))

    def __iter__(self) -> Iterator[Batch]:
        return map(self._take, self.order.ordered())

    def _take(self, rows: Tensor) -> Batch:
        index = to_device(rows, self.device)
        return self._set.cells.take(self._windows[index]) | {"index": index}
