"""RRDBNet, the generator of ESRGAN and Real-ESRGAN: images enlarged by residual-in-residual dense blocks.

Wang et al. 2018, "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks" (arXiv:1809.00219), section 3.1.
For ×2: Wang et al. 2021, "Real-ESRGAN" (arXiv:2107.10833), section 3.3.

A dense block has five convolutions, each of which sees the outputs of all before it; its output, and that of three
blocks, are added to what went in at a fifth of their size. There is no normalization. The image is doubled by repeating
pixels, each time before a convolution. To enlarge by 2, blocks of 2 × 2 pixels become channels first, and the rest
enlarges by 4: most of the work is then done at half of the image's size.

The keys of the state dict are those of BasicSR's RRDBNet, in which the public weights of ESRGAN and Real-ESRGAN are
kept, so that these load as they are. What differs: for ×2, images with odd sides or sides below 3 are padded by their
last row or column; with the option `skip`, which the public weights do without, the net adds to the bicubic
interpolation of the image (Kim et al. 2016, VDSR, arXiv:1511.04587, section 3.2), which a short training needs.

Shape letters: N images, C channels, H × W pixels, F factor.
"""

from math import ceil

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALE = 0.2
"""Of what blocks add, β in the paper; also the slope of the leaky ReLUs."""
_INIT_SCALE = 0.1
_LEAST = 3
"""Rows and columns of an image that is folded; smaller ones are padded."""


class RRDBNet(nn.Module):
    """Images (N, 3, H, W) in [0, 1] to (N, 3, F·H, F·W), about in [0, 1]. `radius` is how many pixels of the input
    around a place its output depends on; `step` what the place of a window must be a multiple of to be computed alike.
    """

    def __init__(self, *, factor: int = 4, width: int = 64, blocks: int = 23, growth: int = 32, skip: bool = False):
        super().__init__()
        assert factor in (2, 4), f"enlarges by 2 or 4, not by {factor}"
        self.factor, self.width, self.step, self.skip = factor, width, 4 // factor, skip
        self.conv_first = nn.Conv2d(3 * self.step**2, width, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(width, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        self.conv_up1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_up2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)
        self.radius = self.step * (ceil(1 + 15 * blocks + 1 + 0.5 + 3 * 0.25) + 1)
        if skip:  # the enlarged image is then bicubic interpolation at first
            for parameter in self.conv_last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        height, width = self.factor * x.shape[2], self.factor * x.shape[3]
        first = self.conv_first(self._folded(x))
        maps = first + self.conv_body(self.body(first))
        for conv in (self.conv_up1, self.conv_up2):
            maps = _act(conv(F.interpolate(maps, scale_factor=2.0, mode="nearest")))
        large = self.conv_last(_act(self.conv_hr(maps)))
        if self.step > 1:  # what was added to fold the image goes again
            large = _lines(_lines(large, 2, height), 3, width)
        return large + F.interpolate(x, [height, width], mode="bicubic") if self.skip else large

    def _folded(self, x: Tensor) -> Tensor:
        """Blocks of `step` × `step` pixels as channels. A convolution exports for all sizes, which `F.pixel_unshuffle`
        does not, if the exporter sees that the blocks are never a single one."""
        if self.step == 1:
            return x
        for axis in (2, 3):
            x = _lines(x, axis, 2 * ((torch.sym_max(x.shape[axis], _LEAST) + 1) // 2))
        place = torch.eye(12, device=x.device, dtype=x.dtype).view(12, 3, 2, 2)
        return F.conv2d(x, place, stride=2)


def _lines(x: Tensor, axis: int, size: int | torch.SymInt) -> Tensor:
    """The first `size` rows or columns, of which the last is repeated where there are fewer. Slices would export for
    some sizes only."""
    return x.index_select(axis, torch.arange(size, device=x.device).clamp(max=x.shape[axis] - 1))


class RRDB(nn.Module):
    """Three dense blocks, (N, C, H, W) → (N, C, H, W)."""

    def __init__(self, width: int, growth: int):
        super().__init__()
        self.rdb1 = DenseBlock(width, growth)
        self.rdb2 = DenseBlock(width, growth)
        self.rdb3 = DenseBlock(width, growth)

    def forward(self, x: Tensor) -> Tensor:
        return x + SCALE * self.rdb3(self.rdb2(self.rdb1(x)))


class DenseBlock(nn.Module):
    """Five convolutions, each of all maps before it, (N, C, H, W) → (N, C, H, W)."""

    def __init__(self, width: int, growth: int):
        super().__init__()
        sizes = [(width + number * growth, growth) for number in range(4)] + [(width + 4 * growth, width)]
        self.conv1, self.conv2, self.conv3, self.conv4, self.conv5 = (_small_conv(*size) for size in sizes)

    def forward(self, x: Tensor) -> Tensor:
        maps = [x]
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            maps.append(_act(conv(torch.cat(maps, 1))))
        return x + SCALE * self.conv5(torch.cat(maps, 1))


def _small_conv(channels: int, out: int) -> nn.Conv2d:
    """With weights that are small at first, so that deep nets train (section 3.1)."""
    conv = nn.Conv2d(channels, out, 3, padding=1)
    nn.init.kaiming_normal_(conv.weight)
    with torch.no_grad():
        conv.weight.mul_(_INIT_SCALE)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


def _act(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SCALE)
