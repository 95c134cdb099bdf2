"""Batches: dicts of tensors with rows first, from a loader of ours or from any iterable."""

from collections.abc import Iterable, Iterator, Sized

import torch
from torch import Tensor

from torchworks.shared.config import UserError

Batch = dict[str, Tensor]


class SingleBatchLoader:
    """The first batch of a loader, again and again."""

    def __init__(self, loader: Iterable[Batch]):
        self._batch = next(endless(loader, 0, None))

    def __iter__(self) -> Iterator[Batch]:
        return iter((self._batch,))


def rows(batch: Batch) -> int:
    """Number of samples in a batch."""
    return next(iter(batch.values())).size(0)


def to_device(batch: Batch, device: torch.device | None) -> Batch:
    """The batch on `device` (None: where it is)."""
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()} if device else batch


def split(batch: Batch, parts: int) -> list[Batch]:
    """At most `parts` micro-batches, in order, whose sizes differ by one row at most. Raises `UserError` for tensors
    with different numbers of rows, such as packed tokens and their offsets, which cannot be cut alike."""
    counts = {name: len(value) for name, value in batch.items()}
    if len(set(counts.values())) > 1:
        named = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise UserError(
            f"A batch cannot be split into micro-batches if its tensors have different numbers of rows: {named}. Give "
            "every tensor one row for each sample (rows of different lengths are padded, not packed), or keep batches "
            "whole: --trainer.accumulate 1, and a --trainer.batch-size that fits into memory."
        )
    pieces = {name: value.tensor_split(min(parts, rows(batch))) for name, value in batch.items()}
    return [dict(zip(pieces, values, strict=True)) for values in zip(*pieces.values(), strict=True)]


def endless(batches: Iterable[Batch], position: int, device: torch.device | None) -> Iterator[Batch]:
    """Training batches from number `position` on, without end.

    A loader that has `iter_from` goes there at once and is on the device already. Any other iterable is gone
    through again and again; for an exact resume, what it yields must be the same each time.
    """
    iter_from = getattr(batches, "iter_from", None)
    if iter_from is not None:
        yield from iter_from(position)
    length = len(batches) if isinstance(batches, Sized) else 0
    skip = position % length if length else position
    while True:
        found = False
        for batch in batches:
            found = True
            if skip:
                skip -= 1
            else:
                yield to_device(batch, device)
        if not found:
            raise UserError("The training data are empty: there is not a single batch.")
