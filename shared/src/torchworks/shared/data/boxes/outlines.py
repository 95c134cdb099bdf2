"""Outlines of objects: polygons, and the run lengths of COCO."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torchworks.shared.data.boxes.extra import needed
from torchworks.shared.data.boxes.sample import Letterbox


@dataclass(frozen=True)
class Polygons:
    """The union of polygons, each (n, 2) of x and y in pixels of the image."""

    corners: tuple[np.ndarray, ...]

    def scaled(self, across: float, down: float) -> "Polygons":
        return Polygons(tuple(polygon * np.array([across, down]) for polygon in self.corners))

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2 of the tightest box around them."""
        every = np.concatenate(self.corners)
        return (*every.min(0).tolist(), *every.max(0).tolist())

    def draw(self, box: Letterbox) -> np.ndarray:
        """Which pixels of the square are inside, bool (S, S)."""
        inside = np.zeros((box.size, box.size), bool)
        fill_polygon = needed("skimage.draw", "scikit-image", "Polygons are").polygon
        for corners in self.scaled(*box.scales).corners:
            x, y = corners.T - 0.5  # counted from the middles of pixels
            inside[fill_polygon(y, x, inside.shape)] = True
        return inside


@dataclass(frozen=True)
class Runs:
    """Lengths of runs of pixels outside and inside by turns, down one column after the other, over `height` ×
    `width`."""

    height: int
    width: int
    lengths: np.ndarray

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2 of the tightest box around the pixels inside; all 0 if there are none."""
        ends = self.lengths.cumsum()
        first, last = ends[: len(ends) // 2 * 2 : 2], ends[1::2] - 1
        first, last = first[first <= last], last[first <= last]
        if not len(first):
            return 0, 0, 0, 0
        (left, top), (right, bottom) = (np.divmod(place, self.height) for place in (first, last))
        if (left < right).any():  # a run over the end of a column
            return int(left.min()), 0, int(right.max()) + 1, self.height
        return int(left.min()), int(top.min()), int(right.max()) + 1, int(bottom.max()) + 1

    def draw(self, box: Letterbox) -> np.ndarray:
        """Which pixels of the square are inside, bool (S, S)."""
        inside = np.repeat(np.arange(len(self.lengths)) % 2 == 1, self.lengths)
        return box.ids(inside.reshape(self.width, self.height).T, 0)


Outline = Polygons | Runs


def polygons(values: object) -> Polygons:
    """From COCO's [[x1, y1, x2, y2, …], …], or one polygon alone; raises `ValueError` with what is wrong. Parts of
    fewer than three corners are left out if there are others, see `strays`."""
    if not isinstance(values, list) or not values:
        raise ValueError("the segmentation has no polygon")
    if not isinstance(values[0], list):
        return Polygons((polygon(values),))
    return Polygons(tuple(polygon(one) for one in values if not _is_stray(one)) or (polygon(values[0]),))


def strays(values: object) -> int:
    """Parts of COCO's polygons that are points or lines: annotation tools leave them at a stray click."""
    return sum(map(_is_stray, values)) if isinstance(values, list) else 0


def _is_stray(values: object) -> bool:
    return isinstance(values, list) and len(values) in (0, 2, 4)


def polygon(values: object) -> np.ndarray:
    """From [x1, y1, x2, y2, …], (n, 2); raises `ValueError`."""
    try:
        flat = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError("a polygon contains something other than numbers") from None
    if not np.isfinite(flat).all():
        raise ValueError("a polygon has coordinates that are not finite (inf or nan)")
    if flat.ndim != 1 or len(flat) < 6 or len(flat) % 2:
        raise ValueError("a polygon needs three or more corners, x and y of each")
    return flat.reshape(-1, 2)


def runs(values: dict) -> Runs:
    """From COCO's {"size": [height, width], "counts": a list or a string}; raises `ValueError`."""
    try:
        height, width = (int(side) for side in values["size"])
        counts = values["counts"]
        lengths = np.array(_uncompressed(counts) if isinstance(counts, str) else counts, np.int64)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError("the run lengths are malformed") from None
    if lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != height * width:
        raise ValueError(f"the run lengths do not add up to {height} × {width} pixels")
    return Runs(height, width, lengths)


def _uncompressed(text: str) -> Sequence[int]:
    """COCO's string: 5 bits a character from the lowest on, bit 6 says that more follow, bit 5 of the last is the sign;
    from the fourth number on it is the difference to the one two before."""
    numbers: list[int] = []
    value = shift = 0
    for letter in text.encode():
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32 and shift < 60:
            continue
        if bits & 16:
            value -= 1 << shift
        numbers.append(value + (numbers[-2] if len(numbers) > 2 else 0))
        value = shift = 0
    return numbers
