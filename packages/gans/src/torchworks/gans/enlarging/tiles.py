"""Images of any size enlarged within a limit of memory: tile by tile, with the same result as all at once.

What a net makes of a place depends on the pixels within its `radius` alone. A window of the image goes through the net
for each tile, which reaches that far beyond the tile where the image does; the rest is cut off again. At the edges of
the image the window ends as the image does. So there is no seam: the pixels are those of the whole, up to the last bits
in which convolutions of other sizes differ.

Shape letters: H × W pixels of the image, F factor.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from torchworks.gans.models.rrdbnet import RRDBNet
from torchworks.gans.models.srresnet import SRResNet
from torchworks.shared.config import UserError

Net = SRResNet | RRDBNet
MAPS: dict[type[nn.Module], float] = {SRResNet: 2.8, RRDBNet: 4.2}
"""Maps of full width and size, in float32, that are in memory at once: measured, with the workspace of a convolution.
It was 2.5 to 2.8 and 3.7 to 4.2 for widths of 32 and 64, factors of 2 and 4, and windows of 160 to 320 pixels."""
COPIES = 3
"""Of the enlarged image in bytes: as it is put together, as it is written, and the alpha of it."""
NARROWEST = 16
"""Side of a tile below which nearly all of a window would be cut off again, and an image take hours."""
MIB = 1 << 20
SPARE = 40 * MIB
"""Bytes that small maps leave unused between them, as measured; large ones are given back."""


@dataclass(frozen=True)
class Window:
    """A stretch of rows or columns: the net sees `first` to `last`, and `begin` to `end` of it are kept."""

    first: int
    begin: int
    end: int
    last: int


def windows(size: int, tile: int, overlap: int, step: int = 1) -> Iterator[Window]:
    """Those that cover `size` pixels. All see as much, as far as there is an image: maps of one size take the place of
    those before them, where maps of other sizes would lie beside them. Each begins at a multiple of `step`."""
    whole = min(tile + 2 * overlap, size)
    for begin in range(0, size, tile):
        end = min(begin + tile, size)
        first = min(max(begin - overlap, 0), (size - whole) // step * step)
        yield Window(first, begin, end, size if end + overlap >= size else first + whole)


@torch.no_grad()
def enlarged(net: Net, image: Tensor, tile: int, overlap: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    """`image`, uint8 (3, H, W), as (3, F·H, F·W): 0 to 255 in bytes, or in [0, 1] for a `dtype` of floats. `tile` is
    the side of a tile, `overlap` what the net sees beyond it; of both the next multiple of the net's step is taken."""
    tile, overlap = (-(-value // net.step) * net.step for value in (tile, overlap))
    factor, weight = net.factor, next(net.parameters())
    large = torch.empty(3, factor * image.shape[1], factor * image.shape[2], dtype=dtype)
    for rows in windows(image.shape[1], tile, overlap, net.step):
        for columns in windows(image.shape[2], tile, overlap, net.step):
            seen = image[None, :, rows.first : rows.last, columns.first : columns.last].to(weight)
            made = net(seen / 255)[0].clamp(0, 1)
            top, left = factor * (rows.begin - rows.first), factor * (columns.begin - columns.first)
            height, width = factor * (rows.end - rows.begin), factor * (columns.end - columns.begin)
            kept = made[:, top : top + height, left : left + width]
            place = large[:, factor * rows.begin : factor * rows.end, factor * columns.begin : factor * columns.end]
            place.copy_(kept if dtype.is_floating_point else (kept * 255).round())
    return large


def bytes_per_pixel(net: Net) -> float:
    """What a pixel of a window takes while the net computes."""
    return MAPS[type(net)] * 4 * net.width * net.factor**2


def tile_for(net: Net, height: int, width: int, overlap: int, max_memory: float) -> int:
    """The side of the largest tile with which an image is enlarged within `max_memory` MiB. Raises `UserError` if there
    is none."""
    results = SPARE + COPIES * 4 * height * width * net.factor**2
    left = max_memory * MIB - results
    side = int((max(left, 0) / bytes_per_pixel(net)) ** 0.5)
    if side >= max(height, width):
        return max(height, width)
    if (tile := (side - 2 * overlap) // net.step * net.step) >= NARROWEST:
        return tile
    needed = results + bytes_per_pixel(net) * (2 * overlap + NARROWEST) ** 2
    raise UserError(
        f"An image of {width} × {height} pixels enlarged {net.factor} times has {width * net.factor} × "
        f"{height * net.factor}, and this net looks {overlap} pixels beyond each tile, so that at least "
        f"{needed / MIB:,.0f} MiB are needed. --max-memory is {max_memory:g}: raise it, or enlarge a part of the image."
    )
