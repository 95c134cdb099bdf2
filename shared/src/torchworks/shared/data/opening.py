"""Which loader suits a data set: all of it on the device, or decoded as training goes."""

import torch

from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data.dataset import Dataset, nbytes
from torchworks.shared.data.loaders import Loader, ResidentLoader
from torchworks.shared.data.stream import StreamLoader
from torchworks.shared.machine.facts import memory_free, memory_total

_RESIDENT_LIMIT = 2 << 30  # bytes that `auto` keeps on the CPU
_AUTO_SHARE, _MAXIMUM_SHARE = 0.25, 0.9  # of the free memory


def open_loader(dataset: Dataset, config: LoaderConfig, batch_size: int, **options) -> Loader:
    """The loader that `config.kind` asks for; auto keeps a set on the device if it fits there comfortably."""
    device = torch.device(options.get("device", "cpu"))
    size, free = nbytes(dataset), free_memory(device)
    comfortable = size <= free * _AUTO_SHARE and (device.type == "cuda" or size <= _RESIDENT_LIMIT)
    if config.kind == "stream" or (config.kind == "auto" and not comfortable):
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
