"""Fusion of a camera and a range sensor by their bearing.

The idea: two sensors that look the same way meet where they look at the same thing. Both are brought to the same C
columns, side by side; what stands in one column is then joined before anything is averaged, so that "bright" of the
camera and "7 m" of the range sensor stay together (alignment of feature maps before fusion, as in Liang et al. 2018,
"Deep Continuous Fusion for Multi-Sensor 3D Object Detection", ECCV, here in one dimension and on a common grid):

    x = conv([camera(image), range(beams), on])                (N, W, C)
    answer = Σ_c softmax(a([x, max_c x]))_c · m(x)_c

Every column gives a place m, a width and a weight a of a mixture of Laplace distributions (`laplace_mixture.py`), so
the answer comes with its uncertainty. What a column measures is its own; only its weight is compared with the most that
any column has, so that weights show where the answer was read. A sensor that fails is silent: a dark image,
no echo at all. Its features are then zero, and `on` tells the net so.

Shapes: N scenes, H × W pixels, B beams, C columns, K digits."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

METRES = 10.0
"""Metres that the net calls 1."""
DARK = -1 + 2 * 16 / 255
"""An image in [-1, 1] without a pixel above this, 16 of 255, is of a camera that sees nothing."""


def working(images: Tensor, beams: Tensor) -> Tensor:
    """Whether the camera and the range sensor say anything, 1 or 0, (N, 2)."""
    return torch.stack([images.amax((1, 2, 3)) > DARK, beams.amax(1) > 0], 1).to(images.dtype)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(4, channels)


class CameraColumns(nn.Module):
    """Images (N, 3, H, W) to columns (N, width, C): convolutions that halve the height, and the width until C columns
    are left; of what is left of the height, the maximum and the mean."""

    def __init__(self, widths: Sequence[int], size: tuple[int, int], columns: int):
        super().__init__()
        layers: list[nn.Module] = []
        across = size[1]
        for before, width in zip((3, *widths), widths, strict=False):
            step = 2 if across > columns else 1
            layers += [nn.Conv2d(before, width, 3, (2, step), 1, bias=False), _norm(width), nn.ReLU()]
            across //= step
        if across != columns or columns > size[1]:
            raise ValueError(f"{len(widths)} widths bring {size[1]} pixels to {across} columns, not to {columns}.")
        self.layers = nn.Sequential(*layers)
        self.join = nn.Conv1d(2 * widths[-1], widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        cells = self.layers(images)
        return self.join(torch.cat([cells.amax(2), cells.mean(2)], 1)).relu()


class RangeColumns(nn.Module):
    """Beams (N, B) in metres, 0 without an echo, to columns (N, width, C)."""

    def __init__(self, width: int, beams: int, columns: int):
        super().__init__()
        if beams % columns:
            raise ValueError(f"{beams} beams cannot be divided among {columns} columns.")
        step = beams // columns
        self.first = nn.Conv1d(2, width, 5, padding=2)
        self.fold = nn.Conv1d(width, width, step, step)
        self.last = nn.Conv1d(width, width, 3, padding=1)

    def forward(self, beams: Tensor) -> Tensor:
        heard = (beams > 0).to(beams.dtype)
        x = self.first(torch.stack([beams / METRES, heard], 1)).relu()
        return self.last(self.fold(x).relu()).relu()


class BearingFusion(nn.Module):
    """Images (N, 3, H, W) in [-1, 1] and beams (N, B) in metres → a mixture's raw numbers (N, C, 3) in tens of metres,
    and logits of the digit in each column, (N, C, K), where K = 11 and 10 is none."""

    def __init__(
        self,
        *,
        size: tuple[int, int] = (32, 64),
        beams: int = 64,
        columns: int = 16,
        widths: Sequence[int] = (16, 32, 64, 64),
        width: int = 64,
        kinds: int = 11,
    ):
        super().__init__()
        self.camera, self.range = CameraColumns(widths, size, columns), RangeColumns(width, beams, columns)
        self.mix = nn.Conv1d(widths[-1] + width + kinds + 2, 2 * width, 3, padding=1)
        self.measure = nn.Conv1d(2 * width, 2 * width, 5, padding=2)
        self.compare = nn.Conv1d(4 * width, 2 * width, 5, padding=2)
        self.answer, self.weight = nn.Conv1d(2 * width, 2, 1), nn.Conv1d(2 * width, 1, 1)
        self.kind = nn.Conv1d(widths[-1], kinds, 1)
        start_in_the_middle(self.answer)

    def forward(self, images: Tensor, beams: Tensor) -> tuple[Tensor, Tensor]:
        on = working(images, beams)
        seen = self.camera(images) * on[:, :1, None]
        heard = self.range(beams) * on[:, 1:, None]
        said = on[:, :, None].expand(-1, -1, seen.shape[-1])
        kinds = self.kind(seen)
        x = self.mix(torch.cat([seen, heard, kinds.softmax(1) * on[:, :1, None], said], 1)).relu()
        weight = self.weight(self.compare(torch.cat([x, x.amax(2, keepdim=True).expand_as(x)], 1)).relu())
        answer = self.answer(self.measure(x).relu())
        return torch.cat([weight, answer], 1).transpose(1, 2), kinds.transpose(1, 2)


def start_in_the_middle(layer: nn.Conv1d | nn.Linear) -> None:
    """Let a new net answer 10 m everywhere: of all places and widths that a layer gives by turns, 1 and 0."""
    assert layer.bias is not None
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.bias.view(-1, 2).copy_(torch.tensor([1.0, 0.0]))
