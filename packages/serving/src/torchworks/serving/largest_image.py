"""Models that take images of any size up to a largest: what a request may hold, and what is computed at once.

What such a model needs grows with the pixels that it sees, of an enlarger to a few hundred megabytes for one image of
the largest size. So a batch is computed in pieces that have no more pixels than that one image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from torchworks.serving.errors import Refusal
from torchworks.shared.models.signature import Signature, TensorSpec

TOGETHER = 8
"""Largest images that one request may hold: a small body could else unpack to minutes of work."""
NO_LIMITS: Mapping[str, int] = MappingProxyType({})
Arrays = dict[str, np.ndarray]


def takes_any_size(spec: TensorSpec) -> bool:
    """Whether images go in as large as they are: uint8 (N, 1 or 3, H, W), with H and W names."""
    if not (spec.kind == "image" and spec.dtype == "uint8" and len(spec.shape) == 4 and spec.shape[1] in (1, 3)):
        return False
    return all(isinstance(size, str) for size in spec.shape[2:])


@dataclass(frozen=True)
class Largest:
    """The largest image that a model of any size takes, in pixels. What it computes at once has no more pixels than
    that, and a request no more than `TOGETHER` times as many."""

    height: int
    width: int

    @classmethod
    def of(cls, spec: TensorSpec, most: Mapping[str, int]) -> "Largest | None":
        """None for an input that is no image of any size, or of which every size will do."""
        if not takes_any_size(spec):
            return None
        height, width = (most.get(str(size)) for size in spec.shape[2:])
        return None if height is None or width is None else cls(height, width)

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def rows(self, shape: tuple[int, ...]) -> int:
        """How many images (N, C, H, W) are computed at once."""
        return max(1, self.pixels // (shape[2] * shape[3]))

    def check(self, width: int, height: int) -> None:
        """Raise `Refusal` for an image that is too large."""
        if height > self.height or width > self.width:
            raise Refusal(
                413, "too_many_pixels",
                f"An image may be {self.width} × {self.height} pixels at most for this model, and this one is "
                f"{width} × {height}: make it smaller, or cut out a part of it.",
            )  # fmt: skip

    def check_together(self, left: int) -> None:
        """Raise `Refusal` if the images of a request have more pixels than are `left`."""
        if left < 0:
            raise Refusal(
                413, "too_many_pixels",
                f"All images of a request may have {TOGETHER * self.pixels:,} pixels for this model: send fewer.",
            )  # fmt: skip


def in_pieces(run: Callable[[Arrays], Arrays], signature: Signature) -> Callable[[Arrays], Arrays]:
    """`run`, which computes a batch, as many rows at once as there is room for."""
    limited = ((spec.name, Largest.of(spec, signature.most)) for spec in signature.inputs)
    name, room = next(((name, largest) for name, largest in limited if largest is not None), ("", None))
    if room is None or signature.rows_name is None:
        return run

    def run_in_pieces(inputs: Arrays) -> Arrays:
        rows, size = len(inputs[name]), room.rows(inputs[name].shape)
        if rows <= size:
            return run(inputs)
        starts = range(0, rows, size)
        parts = [run({key: value[start : start + size] for key, value in inputs.items()}) for start in starts]
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    return run_in_pieces
