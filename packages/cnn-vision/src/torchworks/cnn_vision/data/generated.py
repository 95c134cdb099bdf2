"""Data sets whose samples are generated on access, each from its own random numbers."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from torchworks.shared.data import Schema

PARTS = ("train", "test")


class Generated:
    """`count` samples; sample i is what `draw(part, rng)` makes, with a generator seeded by (seed, part, i) alone."""

    drawn = True  # by Python: see `gather`

    def __init__(
        self,
        draw: Callable[[str, np.random.Generator], dict[str, Tensor]],
        schema: Schema,
        *,
        part: str,
        count: int,
        seed: int,
    ):
        self.schema, self.part = schema, part
        self._draw, self._count, self._seed = draw, count, seed

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        if not 0 <= i < self._count:
            raise IndexError(i)
        return self._draw(self.part, np.random.default_rng((self._seed, PARTS.index(self.part), i)))
