"""U-Net: a class for every pixel, by an encoder and a decoder with skip connections.

Ronneberger, Fischer & Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation"
(arXiv:1505.04597).

The idea (figure 1): on the way down each level looks at the image twice as coarsely as the one above, with twice the
channels; a pixel of the lowest map has seen much of the image. On the way up each level doubles the map, and joins what
the level of the same size saw on the way down, before anything was lost:

    down_0 = double(x)                  down_i = double(pool(down_{i-1}))               width·2^i channels
    up_depth = down_depth               up_i = double(join(down_i, up2x2(up_{i+1})))    width·2^i channels
    logits = 1×1(up_0)

where `double` is two 3×3 convolutions, each followed by a ReLU. The joins are what makes outlines sharp.

What differs from the paper:
- Convolutions are padded, so that the mask is as large as the image. The paper's are not: its 572 × 572 pixels give a
  mask of 388 × 388, and images are fed in as overlapping tiles.
- Batch normalization (Ioffe & Szegedy 2015) follows every 3×3 convolution, which then needs no bias. The paper is older
  than the habit; `norm="none"` is its net.
- An image whose sides are no multiples of 2^depth is padded at the right and the bottom by its last pixels, and the
  logits are cut back.
- Dropout at the end of the way down (section 3.1) is off unless `drop_rate` is given.
- With `aux_loss` a second head reads the classes off the coarsest map of the way up, in training alone (Lee et al.
  2015, arXiv:1409.5185; nnU-Net, Isensee et al. 2021, has one on most maps). The lowest levels
  recognize the objects, and without it their gradients pass through the whole decoder.

| builder | width | depth | parameters (M) | |
|---|---|---|---|---|
| `unet(num_classes=2, in_channels=1, norm="none")` | 64 | 4 | 31.03 | the paper's |
| `unet(num_classes=11, width=8)` | 8 | 4 | 0.49 | for images of about 100 pixels |

Shape letters: N images, H × W pixels, C channels, G classes of pixels, background included.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["batch", "none"]


class DoubleConv(nn.Sequential):
    """Two 3×3 convolutions: (N, in_channels, H, W) to (N, channels, H, W)."""

    def __init__(self, in_channels: int, channels: int, norm: Norm):
        super().__init__(*_conv(in_channels, channels, norm), *_conv(channels, channels, norm))


def _conv(in_channels: int, channels: int, norm: Norm) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, channels, 3, padding=1, bias=norm == "none")
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")  # section 3: standard deviation sqrt(2 / inputs)
    return [convolution, *([nn.BatchNorm2d(channels)] if norm == "batch" else []), nn.ReLU()]


class Up(nn.Module):
    """One level of the way up: (N, 2·C, H/2, W/2) from below and (N, C, H, W) from the way down to (N, C, H, W)."""

    def __init__(self, channels: int, norm: Norm):
        super().__init__()
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.conv = DoubleConv(2 * channels, channels, norm)

    def forward(self, below: Tensor, across: Tensor) -> Tensor:
        return self.conv(torch.cat([across, self.up(below)], 1))


class UNet(nn.Module):
    """Images (N, in_channels, H, W), of any size, to logits (N, num_classes, H, W).

    `width` channels at the full size, twice as many at each of the `depth` levels below. In training, with `aux_loss`,
    a dict of the logits of both heads, as "out" and "aux".
    """

    def __init__(
        self, *, num_classes: int, in_channels: int, width: int = 64, depth: int = 4, norm: Norm = "batch",
        drop_rate: float = 0.0, aux_loss: bool = False,
    ):  # fmt: skip
        super().__init__()
        self.num_classes, self.in_channels, self.multiple = num_classes, in_channels, 2**depth
        channels = [width * 2**i for i in range(depth + 1)]
        self.stem = DoubleConv(in_channels, width, norm)
        self.down = nn.ModuleList(DoubleConv(c, 2 * c, norm) for c in channels[:-1])
        self.dropout = nn.Dropout(drop_rate)
        self.up = nn.ModuleList(Up(c, norm) for c in reversed(channels[:-1]))
        self.classifier = nn.Conv2d(width, num_classes, 1)
        self.aux_classifier = nn.Conv2d(channels[-2], num_classes, 1) if aux_loss else None

    def forward(self, images: Tensor) -> Tensor | dict[str, Tensor]:
        height, width = images.shape[-2:]
        right, bottom = -width % self.multiple, -height % self.multiple
        x = F.pad(images, (0, right, 0, bottom), mode="replicate") if right or bottom else images
        maps = [self.stem(x)]
        for block in self.down:
            maps.append(block(F.max_pool2d(maps[-1], 2)))  # (N, 2·C, H/2, W/2)
        ups = [self.dropout(maps.pop())]
        for block in self.up:
            ups.append(block(ups[-1], maps.pop()))  # (N, C/2, 2·H, 2·W)
        logits = self.classifier(ups[-1])[..., :height, :width]
        if not self.training or self.aux_classifier is None:
            return logits
        coarse = F.interpolate(self.aux_classifier(ups[1]), ups[-1].shape[-2:], mode="bilinear", align_corners=False)
        return {"out": logits, "aux": coarse[..., :height, :width]}


def unet(
    *, num_classes: int = 2, in_channels: int = 3, width: int = 64, depth: int = 4, norm: Norm = "batch",
    drop_rate: float = 0.0, aux_loss: bool = False,
) -> UNet:  # fmt: skip
    """The net of the paper, padded; smaller by a smaller `width`."""
    return UNet(
        num_classes=num_classes, in_channels=in_channels, width=width, depth=depth, norm=norm, drop_rate=drop_rate,
        aux_loss=aux_loss,
    )  # fmt: skip
