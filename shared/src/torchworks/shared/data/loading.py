"""Loaders as a configuration wants them: on the device, for a share of several processes, resident or streaming."""

from typing import Any

import torch

from torchworks.shared.config import Config, LoaderConfig, UserError
from torchworks.shared.data.dataset import nbytes
from torchworks.shared.data.loaders import Loader, ResidentLoader
from torchworks.shared.data.schema import Dataset
from torchworks.shared.machine.device import Device
from torchworks.shared.machine.facts import memory_free, memory_total

_RESIDENT_LIMIT = 2 << 30  # bytes that `auto` keeps on the CPU
_AUTO_SHARE, _MAXIMUM_SHARE = 0.25, 0.9  # of the free memory
EVALUATION_BATCH = 256
"""Rows scored at once."""


class LoaderFactory:
    """Opens the loaders of `config` on `device`; `options` (mean, std) go to all of them."""

    def __init__(self, config: Config, device: Device, *, evaluation_batch: int | None = None, **options: Any):
        self.config, self.device, self.options = config, device, options
        self.evaluation_batch = evaluation_batch or EVALUATION_BATCH

    def training(self, dataset: Dataset, stream: int = 0, **options: Any) -> Loader:
        """Endless shuffled batches; another `stream` is another order."""
        place = {"rank": self.device.rank, "world": self.device.world, "seed": self.config.seed + stream}
        return self._open(dataset, self.config.trainer.batch_size, **place, **options)

    def shuffled(self, dataset: Dataset, stream: int = 0) -> Loader:
        """The rows of `training` in larger batches, all of them in each process: for an evaluation on a sample."""
        return self._open(dataset, self.evaluation_batch, seed=self.config.seed + stream)

    def ordered(self, dataset: Dataset, stream: int = 0) -> Loader:
        """One ordered pass over all rows, not augmented."""
        return self._open(dataset, self.evaluation_batch, seed=self.config.seed, train=False)

    def _open(self, dataset: Dataset, batch_size: int, **options: Any) -> Loader:
        options = {"device": self.device.device, **self.options, **options}
        return open_loader(dataset, self.config.loader, batch_size, **options)


def open_loader(dataset: Dataset, config: LoaderConfig, batch_size: int, **options) -> Loader:
    """The loader that `config.kind` asks for; auto keeps a set on the device if it fits there comfortably."""
    device = torch.device(options.get("device", "cpu"))
    size, free = nbytes(dataset), free_memory(device)
    comfortable = size <= free * _AUTO_SHARE and (device.type == "cuda" or size <= _RESIDENT_LIMIT)
    if config.kind == "stream" or (config.kind == "auto" and not comfortable):
        from torchworks.shared.data.stream import StreamLoader  # late: only large sets need its workers

        return StreamLoader(dataset, batch_size, workers=config.workers, **options)
    if size > free * _MAXIMUM_SHARE:
        smaller = "a smaller --loader.image-size" if "image" in dataset.schema else "fewer samples"
        raise UserError(
            f"The data set takes {size / 2**30:.1f} GiB, but only {free / 2**30:.1f} GiB are free on {device}, so "
            f"it cannot be held there. Use --loader.kind stream, or {smaller}."
        )
    return ResidentLoader(dataset, batch_size, **options)


def free_memory(device: torch.device) -> int:
    """Bytes that can still be had on `device`; the machine's memory for anything but CUDA."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return memory_free() or memory_total() // 2
