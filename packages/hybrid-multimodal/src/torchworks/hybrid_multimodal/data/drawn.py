"""Data sets whose rows are drawn when they are asked for, many at once.

Shape letters: N rows.
"""

from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from torchworks.shared.data import Schema, TensorDataset
from torchworks.shared.numbers.seeds import mix
from torchworks.shared.numbers.stream import SampleRandom


class DrawnRows:
    """`count` rows, each of which follows from the seed and its number alone. Subclasses draw them in `_drawn`."""

    drawn = True  # by torch, many at once
    chunk: ClassVar[int] = 1000
    """Rows drawn at once."""

    def __init__(self, schema: Schema, *, count: int, seed: int):
        self.schema, self._count, self._seed = schema, count, seed

    def _drawn(self, rows: range) -> dict[str, Tensor]:
        """The fields of these rows, (N, …) each."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        if not 0 <= i < self._count:
            raise IndexError(i)
        return {name: value[0] for name, value in self._drawn(range(i, i + 1)).items()}

    def resident(self) -> TensorDataset:
        """All of it, drawn the first time it is asked for."""
        return self._resident

    @cached_property
    def _resident(self) -> TensorDataset:
        firsts = range(0, self._count, self.chunk)
        parts = [self._drawn(range(first, min(first + self.chunk, self._count))) for first in firsts]
        return TensorDataset({name: torch.cat([part[name] for part in parts]) for name in parts[0]}, self.schema)

    def _numbers(self, rows: range, what: str) -> SampleRandom:
        """Random numbers of these rows, of a kind of their own for each `what`."""
        return SampleRandom(mix(self._seed, what), 0, torch.arange(rows.start, rows.stop))
