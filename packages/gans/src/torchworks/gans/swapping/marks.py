"""The marks that every swapped image gets, one that is seen and one that is not, and how the latter is found again.

Both are drawn by the model itself, after its net, so that exported models and services give marked images as well.

Shape letters: N images, H × W pixels, S pixels a side, T ways in which an image may have been cropped.
"""

import hashlib
from dataclasses import dataclass
from math import comb

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.models.spread_transform_mark import (
    PAYLOAD_BITS,
    SMALLEST,
    SYNC_BITS,
    SpreadTransformMark,
    luma,
    read_bits,
    sync_signs,
)
from torchworks.gans.models.visible_mark import VisibleMark

FOUND = 1e-4
"""Probability of a false alarm below which a mark counts as found."""
SIDES = 16
"""What the side of a marked image is divisible by, as far as it was not cut."""
MOST_CUT = 6
"""Pixels that may have been cut off in each direction for the mark to be looked for."""


class Marks(nn.Module):
    """Images (N, 3, size, size) in [0, 1] to the same with the visible mark and then the invisible one."""

    def __init__(self, size: int, payload: int):
        super().__init__()
        self.visible, self.invisible = VisibleMark(size), SpreadTransformMark(size, payload)

    def forward(self, images: Tensor) -> Tensor:
        return self.invisible(self.visible(images))


def payload_of(net: nn.Module) -> int:
    """The number that the images of a trained net carry: the first 16 bits of SHA-256 of its weights."""
    whole = hashlib.sha256()
    for name, value in sorted(net.state_dict().items()):
        whole.update(name.encode() + value.detach().float().cpu().contiguous().numpy().tobytes())
    return int.from_bytes(whole.digest()[: PAYLOAD_BITS // 8])


@dataclass(frozen=True)
class Reading:
    """What an image says of its mark. `agreeing` of 32 known bits are as they should be; `false_alarm` is how probable
    that is without a mark, over all the ways tried."""

    agreeing: int
    payload: int
    false_alarm: float
    cut: tuple[int, int] = (0, 0)
    """Rows and columns that were cut off at the top and at the left, as far as the mark tells."""

    @property
    def found(self) -> bool:
        return self.false_alarm < FOUND


def read_mark(image: Tensor) -> Reading:
    """Of an image (3, H, W) in [0, 1], at least 32 × 32: the way of reading it that shows a mark best. An image whose
    sides are no multiples of 16 is also read as one that was cropped."""
    brightness = luma(image[None].float())
    readings = [*_readings(brightness, [(0, 0)]), *_cropped(brightness)]
    best = max(readings, key=lambda reading: reading.agreeing)
    return Reading(best.agreeing, best.payload, min(1.0, len(readings) * chance(best.agreeing)), best.cut)


def readable(height: int, width: int) -> bool:
    """Whether an image is large enough to have a mark."""
    return min(height, width) >= SMALLEST


def chance(agreeing: int) -> float:
    """The probability that at least so many of 32 bits agree, each with probability ½."""
    return sum(comb(SYNC_BITS, k) for k in range(agreeing, SYNC_BITS + 1)) / 2**SYNC_BITS


def _cropped(brightness: Tensor) -> list[Reading]:
    """Read at each place that it may have had in an image whose sides are the next multiple of 16."""
    height, width = brightness.shape[1:]
    side = -(-max(height, width) // SIDES) * SIDES
    down, across = side - height, side - width
    if max(down, across) == 0 or max(down, across) > MOST_CUT:
        return []
    cuts = [(top, left) for top in range(down + 1) for left in range(across + 1)]
    return _readings(torch.cat([_placed(brightness, cut, side) for cut in cuts]), cuts)


def _placed(brightness: Tensor, cut: tuple[int, int], side: int) -> Tensor:
    """The image (1, H, W) where it was before rows and columns were `cut` off, (1, side, side): what is missing is its
    edge repeated, and the visible mark, which is known."""
    (top, left), (height, width) = cut, brightness.shape[1:]
    around = (left, side - width - left, top, side - height - top)
    mark = VisibleMark(side)
    missing = F.pad(torch.zeros_like(brightness), around, value=1.0) * (mark.hidden > 0)
    whole = F.pad(brightness[None], around, mode="replicate")[0]
    return torch.where(missing > 0, 0.5 * (1 - mark.hidden) + mark.letters, whole)


def _readings(brightness: Tensor, cuts: list[tuple[int, int]]) -> list[Reading]:
    """One for each of the ways (T, H, W)."""
    found = read_bits(brightness)
    agreeing = (found[:, :SYNC_BITS] * sync_signs().to(found) > 0).sum(1).tolist()
    payloads = ((found[:, SYNC_BITS:] > 0).long() << torch.arange(PAYLOAD_BITS)).sum(1).tolist()
    return [
        Reading(int(bits), int(number), chance(int(bits)), cut)
        for bits, number, cut in zip(agreeing, payloads, cuts, strict=True)
    ]
