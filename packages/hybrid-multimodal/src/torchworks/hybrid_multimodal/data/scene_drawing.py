"""Scenes of digits, drawn: glyphs from handwriting, places that agree with a caption, paint on grounds with noise.

Shape letters: N scenes, M objects at most, D handwritten digits, S pixels along a scene, G along the largest glyph, T
places tried.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.data.scene_captions import COLORS, DIGITS
from torchworks.shared.data import Dataset, resident
from torchworks.shared.numbers.stream import SampleRandom

SIDE = 64
"""Pixels along a scene as it is drawn."""
SIZES = (20, 24, 28)
"""Pixels along a digit."""
GAP = 5
"""Pixels, at least, between the centers of neighbors, and by which their centers are further apart in the direction
that the caption names than in the other."""
TRIES = 64
"""Places tried at once for a scene."""
NOISE = 256
"""Pixels along the square of noise that each scene has a piece of."""


@dataclass(frozen=True)
class Glyphs:
    """Enlarged handwritten digits in the upper left corner of G × G pixels."""

    ink: Tensor
    """How much of a pixel is covered, float32 (sizes, D, G, G) in [0, 1]."""
    boxes: Tensor
    """Where the ink is, float32 (sizes, D, 4), as x1, y1, x2, y2."""
    first: Tensor
    """int64 (11,): the digits of class k are those from `first[k]` to `first[k + 1]`."""

    @classmethod
    def of(cls, digits: Dataset) -> "Glyphs":
        """Of handwritten digits (D, 1, 8, 8)."""
        tensors = resident(digits).tensors
        order = tensors["label"].argsort(stable=True)
        small = tensors["image"][order].float() / 255
        ink = torch.zeros(len(SIZES), len(small), max(SIZES), max(SIZES))
        for place, size in enumerate(SIZES):
            large = F.interpolate(small, (size, size), mode="bicubic", align_corners=False)[:, 0]
            ink[place, :, :size, :size] = ((large - 0.25) / 0.35).clamp(0, 1)
        counts = torch.bincount(tensors["label"], minlength=len(DIGITS))
        return cls(ink, _boxes_around(ink > 0.5), F.pad(counts.cumsum(0), (1, 0)))


def _boxes_around(seen: Tensor) -> Tensor:
    """The tightest boxes around bool (…, H, W), float32 (…, 4)."""
    sides = []
    for dim in (-2, -1):  # over rows: columns, x
        line = seen.any(dim).float()
        sides.append((line.argmax(-1), line.shape[-1] - line.flip(-1).argmax(-1)))
    (x1, x2), (y1, y2) = sides
    return torch.stack([x1, y1, x2, y2], -1).float()


def place(inner: Tensor, sides: Tensor, there: Tensor, relations: Tensor, numbers: SampleRandom) -> Tensor:
    """Upper left pixels of glyphs, int64 (N, M, 2), as x and y, so that the captions are right: the first places that
    are of many, all of them equally likely. `inner` (N, M, 4) is where the ink of each glyph of `sides` (N, M) pixels
    lies. The ink of two objects may touch, but their boxes do not overlap."""
    count, most = sides.shape
    corners, found = torch.zeros(count, most, 2, dtype=torch.int64), torch.zeros(count, dtype=torch.bool)
    while not found.all():
        left = (~found).nonzero()[:, 0]
        shares = numbers.uniform(TRIES, most, 2)[left]
        shares = _in_order(shares, relations[left], there[left])
        tried = (shares * (SIDE - sides[left, None, :, None] + 1)).long()  # (n, T, M, 2)
        fits = _agree(tried.float(), inner[left, None], there[left, None], relations[left])
        good = fits.any(1)
        corners[left[good]] = tried[good, fits[good].int().argmax(1)]
        found[left[good]] = True
    return corners


def _in_order(shares: Tensor, relations: Tensor, there: Tensor) -> Tensor:
    """Places (n, T, M, 2), those of objects that are there sorted along the axis of their relation."""
    order = _along(shares, relations).masked_fill(~there[:, None], 2.0).argsort(2)
    return shares.gather(2, order[..., None].expand_as(shares))


def _along(places: Tensor, axes: Tensor) -> Tensor:
    """Of places (n, T, M, 2) the coordinate on `axes` (n,), 0 for x and 1 for y: (n, T, M)."""
    return places.gather(3, axes.view(-1, 1, 1, 1).expand(*places.shape[:3], 1))[..., 0]


def _agree(corners: Tensor, inner: Tensor, there: Tensor, relations: Tensor) -> Tensor:
    """Whether places (n, T, M, 2) agree with the relations and no boxes overlap: bool (n, T)."""
    low, high = corners + inner[..., :2], corners + inner[..., 2:]
    center = (low + high) / 2
    fits = torch.ones(corners.shape[:2], dtype=torch.bool)
    for a in range(corners.shape[2]):
        for b in range(a + 1, corners.shape[2]):
            apart = ((low[:, :, b] >= high[:, :, a]) | (low[:, :, a] >= high[:, :, b])).any(2)
            fits &= apart | ~there[..., b]
    first, second = (_along(center, axis) for axis in (relations, 1 - relations))
    further = there[..., 1:]
    fits &= ((first.diff(dim=2) >= GAP) | ~further).all(2)
    spreads = [
        each.masked_fill(~there, -1e9).amax(2) - each.masked_fill(~there, 1e9).amin(2) for each in (first, second)
    ]
    return fits & ((spreads[0] >= spreads[1] + GAP) | ~further.any(2))


def paint(ink: Tensor, corners: Tensor, colors: Tensor, numbers: SampleRandom, noise: Tensor) -> Tensor:
    """uint8 (N, 3, S, S): glyphs (N, M, G, G) at `corners` (N, M, 2) in `colors` (N, M), on grounds of their own."""
    count, most, glyph = ink.shape[:3]
    canvas = torch.zeros(count, SIDE + glyph, SIDE + glyph, 3)
    canvas[:, :SIDE, :SIDE] = _grounds(numbers, count)
    palette = torch.tensor([*COLORS.values()]).float()
    shades = palette[colors.clamp(min=0)] + (numbers.uniform(most, 3) - 0.5) * 50  # (N, M, 3)
    rows, along = torch.arange(count)[:, None, None], torch.arange(glyph)
    for m in range(most):
        at = rows, corners[:, m, 1, None, None] + along[:, None], corners[:, m, 0, None, None] + along
        cover = (ink[:, m] * (colors[:, m] >= 0)[:, None, None])[..., None]
        canvas[at] += cover * (shades[:, m, None, None] - canvas[at])
    canvas = canvas[:, :SIDE, :SIDE] + _noise(numbers, count, noise)
    return canvas.round().clamp(0, 255).to(torch.uint8).permute(0, 3, 1, 2).contiguous()


def _grounds(numbers: SampleRandom, count: int) -> Tensor:
    """Dark tints with a gradient in any direction, (N, S, S, 3)."""
    tint = 30 + numbers.uniform(1, 1, 1) * 50 + (numbers.uniform(1, 1, 3) - 0.5) * 40
    slope = (numbers.uniform(2) - 0.5) * 60
    line = torch.linspace(-0.5, 0.5, SIDE)
    ramp = slope[:, 0, None, None] * line + slope[:, 1, None, None] * line[:, None]
    return tint + ramp[..., None]


def _noise(numbers: SampleRandom, count: int, noise: Tensor) -> Tensor:
    """A piece of `noise` for each image, (N, S, S, 3), of a strength of its own."""
    x, y = (numbers.uniform(2) * (NOISE - SIDE)).long().unbind(1)
    along = torch.arange(SIDE)
    pieces = noise[y[:, None, None] + along[:, None], x[:, None, None] + along]
    return pieces * (3 + 5 * numbers.uniform(1, 1, 1))
