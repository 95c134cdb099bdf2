"""Windows of one long text or series, as batches of inputs and shifted targets.

    text = np.memmap("tokens.bin", np.uint16, "r")      # may be larger than memory
    loader = Windows(text, length=256, batch_size=32, stride=256, seed=0, device="cuda")
    for batch in loader.iter_from(0):
        batch["tokens"], batch["target"]                # int64 (32, 256) each, target[:, t] = tokens[:, t + 1]

Window i begins at i · stride. As in every loader the order is a pure function of (seed, epoch, position): a resume at
any position gives the batches that would have come, and `rank` of `world` has its part of each.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data.loaders import Batch, Loader, to_device
from torchworks.shared.data.schema import Field, Schema

_MOST_WINDOWS = 1 << 28
"""An order of more would itself take gigabytes."""


class WindowDataset:
    """The windows as a data set: sample i is {`tokens` or `series`: (L, …), `target`: (L, …)}.

    `values` is (T,) or (T, D): whole numbers are tokens and leave as int64, others are a series and leave as float32.
    `target` is the window `shift` places later, so a forecast of H steps takes shift H and the last H of `target`.
    What is left over at the end, less than a window, is not used. Raises `UserError` if there is not even one window.
    """

    def __init__(self, values: Tensor | np.ndarray, length: int, stride: int | None = None, shift: int = 1):
        self.values, self.length, self.stride, self.shift = values, length, stride or length, shift
        assert min(length, self.stride, shift) > 0
        self._count = (len(values) - length - shift) // self.stride + 1
        if len(values) < length + shift:
            raise UserError(
                f"The data have {len(values)} values, but a window of {length} and what follows it take "
                f"{length + shift}. Use more data or shorter windows."
            )
        if self._count > _MOST_WINDOWS:
            raise UserError(
                f"A stride of {self.stride} makes {self._count:,} windows, whose order alone would fill the memory; at "
                f"most {_MOST_WINDOWS:,} are possible. Use a larger stride, such as the length of a window, {length}."
            )
        self.schema = self._schema()

    def _schema(self) -> Schema:
        if isinstance(self.values, Tensor):
            fractions = self.values.is_floating_point()
        else:
            fractions = self.values.dtype.kind == "f"
        shape = (self.length, *self.values.shape[1:])
        self.dtype = torch.float32 if fractions else torch.int64
        kind = "series" if fractions else "tokens"
        return Schema((Field(kind, kind, shape), Field("target", kind, shape)))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {name: value[0] for name, value in self.take(torch.tensor([i])).items()}

    def take(self, index: Tensor) -> Batch:
        """The windows `index`, int64 (N,), where `values` are: N reads of a few pages from a file that is mapped."""
        starts, span = index * self.stride, self.length + self.shift
        if isinstance(self.values, Tensor):
            whole = self.values[starts[:, None] + torch.arange(span, device=starts.device)]
        else:
            whole = torch.from_numpy(_plain(np.stack([self.values[start : start + span] for start in starts.tolist()])))
        whole, (name, target) = whole.to(self.dtype), (item.name for item in self.schema.fields)
        return {name: whole[:, : self.length].contiguous(), target: whole[:, self.shift :].contiguous()}


class Windows(Loader):
    """Batches of windows of one long text or series, with `index`, the number of each window. See `WindowDataset`.

    A tensor or an array is held on the device; a memory-mapped array stays in its file and is read batch by batch.
    `stride` is the length unless it is given.
    """

    def __init__(
        self,
        values: Tensor | np.ndarray,
        length: int,
        batch_size: int,
        stride: int | None = None,
        *,
        shift: int = 1,
        seed: int = 0,
        device: torch.device | str = "cpu",
        train: bool = True,
        rank: int = 0,
        world: int = 1,
    ):
        if not isinstance(values, np.memmap):
            values = (torch.from_numpy(_plain(values)) if isinstance(values, np.ndarray) else values).to(device)
        self._windows = WindowDataset(values, length, stride, shift)
        super().__init__(self._windows, batch_size, seed=seed, device=device, train=train, rank=rank, world=world)

    def iter_from(self, position: int) -> Iterator[Batch]:
        return map(self._take, self.order.endless(position))

    def __iter__(self) -> Iterator[Batch]:
        return map(self._take, self.order.ordered())

    def _take(self, rows: Tensor) -> Batch:
        index = to_device(rows, self.device)
        if isinstance(self._windows.values, Tensor):
            return self._windows.take(index) | {"index": index}
        batch = {name: to_device(value, self.device) for name, value in self._windows.take(rows).items()}
        return batch | {"index": index}


def _plain(values: np.ndarray) -> np.ndarray:
    """`values` in a type that PyTorch indexes, in memory that it may write to."""
    wide = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64}.get(values.dtype.name, values.dtype)
    return np.require(values.astype(wide, copy=False), requirements=["W"])
