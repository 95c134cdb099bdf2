"""SRResNet and the discriminator of SRGAN: images enlarged by a residual net with sub-pixel convolutions.

Ledig et al. 2017, "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network"
(arXiv:1609.04802), figure 4.

The generator works at the size of the small image: a 9 × 9 convolution, B residual blocks without an activation after
the sum, a 3 × 3 convolution with a skip from before the blocks, then for each doubling a convolution to four times the
channels whose values are laid out as 2 × 2 pixels (PixelShuffle; Shi et al. 2016, arXiv:1609.05158), and a 9 × 9
convolution. The discriminator has eight 3 × 3 convolutions, every second one of stride 2, whose channels double from 64
to 512, and two dense layers.

What differs, all by options that can be set to the paper's: `norm` leaves out batch normalization, which costs PSNR at
this size of training (Lim et al. 2017, EDSR, arXiv:1707.02921, section 3.1); `skip` adds the bicubic interpolation of
the image, so that the net learns what that lacks (Kim et al. 2016, VDSR, arXiv:1511.04587, section 3.2). The dense
layers of the discriminator see means over a 4 × 4 grid of its last map, so that crops of any size will do: at the
paper's 96 pixels its map of 6 × 6 goes in whole.

Shape letters: N images, C channels, H × W pixels, F factor.
"""

from math import ceil

import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.models.spectral import SpectralConv2d, SpectralLinear

SLOPE = 0.2
"""Of the discriminator's leaky ReLUs."""
_GRID = 4


class SRResNet(nn.Module):
    """Images (N, 3, H, W) in [0, 1] to (N, 3, F·H, F·W), about in [0, 1]. `radius` is how many pixels of the input
    around a place its output depends on; `step` what the place of a window must be a multiple of to be computed alike.
    """

    def __init__(
        self,
        *,
        factor: int = 4,
        width: int = 64,
        blocks: int = 16,
        outer_kernel: int = 9,
        norm: bool = True,
        skip: bool = False,
    ):
        super().__init__()
        assert factor in (2, 4), f"enlarges by 2 or 4, not by {factor}"
        self.factor, self.width, self.step, self.skip = factor, width, 1, skip
        outer = outer_kernel // 2
        self.head = nn.Sequential(nn.Conv2d(3, width, outer_kernel, padding=outer), nn.PReLU())
        self.blocks = nn.Sequential(*(ResidualBlock(width, norm) for _ in range(blocks)))
        self.join = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=not norm), *_norm(width, norm))
        self.doublings = nn.Sequential(*(Doubling(width) for _ in range(factor // 2)))
        self.tail = nn.Conv2d(width, 3, outer_kernel, padding=outer)
        # a convolution of kernel k at F times the size reaches k // 2 / F pixels of the input
        reach = outer + 2 * blocks + 1 + sum(2.0**-i for i in range(factor // 2)) + outer / factor
        self.radius = ceil(reach) + 1
        if skip:  # the enlarged image is then bicubic interpolation at first
            for parameter in self.tail.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        first = self.head(x)
        large = self.tail(self.doublings(first + self.join(self.blocks(first))))
        size = [self.factor * x.shape[2], self.factor * x.shape[3]]  # a scale would be rounded to whole numbers
        return large + F.interpolate(x, size, mode="bicubic") if self.skip else large


class ResidualBlock(nn.Module):
    """x + norm(conv(prelu(norm(conv(x))))), (N, C, H, W) → (N, C, H, W)."""

    def __init__(self, width: int, norm: bool):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=not norm), *_norm(width, norm), nn.PReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=not norm), *_norm(width, norm),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Doubling(nn.Module):
    """(N, C, H, W) → (N, C, 2·H, 2·W) by a sub-pixel convolution."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, 4 * width, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)
        self.act = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.shuffle(self.conv(x)))


class SRGANDiscriminator(nn.Module):
    """Images (N, 3, H, W) in [0, 1], of 16 pixels at least, to logits (N,); above 0 is real."""

    def __init__(self, *, width: int = 64, norm: str = "batch", grid: int = _GRID):
        super().__init__()
        conv = SpectralConv2d if norm == "spectral" else nn.Conv2d
        dense = SpectralLinear if norm == "spectral" else nn.Linear
        plan = [(3, width, 1), (width, width, 2)]
        for level in range(3):
            before = width * 2**level
            plan += [(before, 2 * before, 1), (2 * before, 2 * before, 2)]
        layers: list[nn.Module] = []
        for number, (channels, out, stride) in enumerate(plan):
            batch = norm == "batch" and number > 0
            layers.append(conv(channels, out, 3, stride=stride, padding=1, bias=not batch))
            layers += [*_norm(out, batch), nn.LeakyReLU(SLOPE)]
        self.body = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(grid)
        self.head = nn.Sequential(
            nn.Flatten(), dense(8 * width * grid**2, 16 * width), nn.LeakyReLU(SLOPE), dense(16 * width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.body(2 * x - 1))).squeeze(1)


def _norm(width: int, norm: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(width)] if norm else []
