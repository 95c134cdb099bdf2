"""The streaming loader: worker processes decode samples while the device computes.

The workers are told which samples to fetch, so their number changes nothing but the speed. On CUDA a batch is
pinned by the DataLoader's own thread and copied on a side stream while the batch before it is in use.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, get_worker_info
from torch.utils.data import Dataset as TorchDataset

from torchworks.shared.config import UserError
from torchworks.shared.data.dataset import collate
from torchworks.shared.data.loaders import Batch, Loader
from torchworks.shared.data.schema import Dataset

_PATIENCE = 600  # seconds for one batch; a worker short of file handles loses batches without a word
_SHARED_MEMORY_SIGNS = (
    "shared memory",
    "bus error",
    "unable to mmap",
    "unable to resize file",
    "unable to write to file",
)

_DEATH_SIGNS = ("killed by signal", "exited unexpectedly", "connection re")  # reset or refused


class StreamLoader(Loader):
    """Decodes batch after batch in `workers` processes (0: in this one). Nothing but what is under way is held.

    A failure of the workers that the user can put right (shared memory, open files, a file that has gone)
    becomes a `UserError`.
    """

    def __init__(self, dataset: Dataset, batch_size: int, *, workers: int = 0, **options):
        super().__init__(dataset, batch_size, **options)
        self.workers = workers
        self._passes = self._fetcher(self.order.ordered, persistent=workers > 0)

    def iter_from(self, position: int) -> Iterator[Batch]:
        # without an end, these workers live through all epochs
        fetched = self._fetched(self._fetcher(lambda: self.order.endless(position), persistent=False))
        epoch, start = divmod(position, self.order.batches)
        while True:
            random = self._random(epoch)
            for _ in range(start, self.order.batches):
                yield self._augmented(self._normalized(next(fetched)), random)
            epoch, start = epoch + 1, 0

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._fetched(self._passes):
            yield self._normalized(batch)

    def _fetcher(self, rows: Callable[[], Iterable[Tensor]], persistent: bool) -> DataLoader:
        return DataLoader(
            _Rows(self.dataset),
            batch_size=None,  # the sampler gives whole batches
            sampler=_Sampler(rows),
            num_workers=self.workers,
            timeout=_PATIENCE if self.workers else 0,
            persistent_workers=persistent,
            worker_init_fn=_leave_the_group,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # or DataLoader would draw from the global one
        )

    def _fetched(self, loader: DataLoader) -> Iterator[Batch]:
        """Batches on the device as they were decoded."""
        batches = _explained(loader, self.workers)
        if self.device.type == "cuda":
            return _ahead(batches, self.device)
        return ({name: value.to(self.device) for name, value in batch.items()} for batch in batches)

    def _normalized(self, batch: Batch) -> Batch:
        return batch | {name: self._normalize(batch[name]) for name in self._images}


@dataclass(frozen=True)
class _Failure:
    """Why a worker has no batch. Not the exception itself: raised again, it would keep the loader in a reference
    cycle, and workers that only the garbage collector releases are not told to stop."""

    kind: type[Exception]
    text: str


class _Rows(TorchDataset):
    """A data set asked for whole batches."""

    def __init__(self, dataset: Dataset):
        self._dataset = dataset

    def __getitem__(self, index: list[int]) -> Batch | _Failure:
        """The batch, or why there is none: an error raised in a worker would come wrapped in its traceback, and one
        in the thread that sends batches off would be lost, while the loader waits forever. So shared memory is
        taken here, where its failure can be reported."""
        try:
            samples = [self._dataset[i] for i in index]
            batch = collate(samples, self._dataset.schema)
            batch["index"] = torch.tensor(index)
            if get_worker_info() is not None:
                batch = {name: value.share_memory_() for name, value in batch.items()}
            return batch
        except (UserError, RuntimeError, OSError) as error:
            return _Failure(type(error), str(error))


class _Sampler:
    """The rows of one batch after the other, from the start each time. As lists, because tensors would be sent to
    the workers through shared memory."""

    def __init__(self, start: Callable[[], Iterable[Tensor]]):
        self._start = start

    def __iter__(self) -> Iterator[list[int]]:
        return (rows.tolist() for rows in self._start())


def _leave_the_group(worker: int) -> None:
    """Ctrl-C, and the SIGTERM of `timeout` and its like, go to a whole process group. The trainer still needs its
    workers to finish a step and save, so they leave that group; they end when the parent tells them to, or dies."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()


def _explained(loader: DataLoader, workers: int) -> Iterator[Batch]:
    """The loader's batches; raises what a worker returned as an error, and explains a worker's death."""
    try:
        for batch in loader:
            if isinstance(batch, _Failure):
                raise batch.kind(batch.text)
            yield batch
    except (RuntimeError, OSError, EOFError) as error:
        cut = isinstance(error, (EOFError, ConnectionError))  # a worker died while it handed over a batch
        advice = explain("a worker exited unexpectedly" if cut else str(error)) if workers else ""
        if not advice:
            raise
        raise UserError(advice) from error


def explain(error: str) -> str:
    """What the user can do about a failure of worker processes, or nothing."""
    text = error.lower()
    if "too many open files" in text or "ancdata" in text:
        return (
            "The decoding workers ran out of file handles, because each batch on its way takes some. Raise the "
            "limit (ulimit -n 65536) or use fewer of them (--loader.workers)."
        )
    if any(sign in text for sign in _SHARED_MEMORY_SIGNS):
        return (
            "The decoding workers hand over batches in shared memory, and /dev/shm is too small for "
            f"them{_shared_memory()}. Give it more (docker run --shm-size=2g, or --ipc=host), or decode "
            "without workers (--loader.workers 0)."
        )
    if "timed out" in text:
        return (
            f"The decoding workers have not delivered a batch for {_PATIENCE // 60} minutes. Is the disk or network "
            "drive with the data still there? Decoding without workers (--loader.workers 0) shows the cause."
        )
    if any(sign in text for sign in _DEATH_SIGNS):
        return (
            f"A decoding worker was killed, most likely because memory ran out ({error.splitlines()[0]}). "
            "Use fewer workers (--loader.workers), a smaller batch (--trainer.batch-size), or smaller files."
        )
    return ""


def _shared_memory() -> str:
    if not os.path.isdir("/dev/shm"):
        return ""
    space = shutil.disk_usage("/dev/shm")
    return f" ({space.total / 2**20:.0f} MiB, {space.free / 2**20:.0f} MiB free)"


def _ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Copy each batch on a side stream while its predecessor is in use."""
    side = torch.cuda.Stream(device)
    before: tuple[Batch, torch.cuda.Event] | None = None
    for batch in batches:
        with torch.cuda.stream(side):
            copied = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
            coming = copied, side.record_event()
        if before is not None:
            yield _received(*before, device)
        before = coming
    if before is not None:
        yield _received(*before, device)


def _received(batch: Batch, copied: torch.cuda.Event, device: torch.device) -> Batch:
    """Let the current stream wait for the copy, and the memory for the current stream."""
    current = torch.cuda.current_stream(device)
    current.wait_event(copied)
    for value in batch.values():
        value.record_stream(current)
    return batch
