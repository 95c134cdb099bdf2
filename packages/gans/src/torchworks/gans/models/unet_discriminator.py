"""The discriminator of Real-ESRGAN: a U-Net with spectral normalization that judges each pixel.

Wang et al. 2021, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data" (arXiv:2107.10833),
section 3.3, after Schönfeld et al. 2020, "A U-Net Based Discriminator for Generative Adversarial Networks"
(arXiv:2002.12655).

Three convolutions of stride 2 down, three bilinear doublings up, maps of equal size added. All layers but the first and
the last have spectral normalization (spectral.py), whose keys are those of the plain layers and a vector `u`.

Shape letters: N images, H × W pixels.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.models.spectral import SpectralConv2d

SLOPE = 0.2


class UNetDiscriminator(nn.Module):
    """Images (N, 3, H, W) in [0, 1], sides divisible by 8, to logits (N, 1, H, W); above 0 is real."""

    def __init__(self, *, width: int = 64):
        super().__init__()
        self.conv0 = nn.Conv2d(3, width, 3, padding=1)
        self.conv1 = _conv(width, 2 * width, 4, stride=2)
        self.conv2 = _conv(2 * width, 4 * width, 4, stride=2)
        self.conv3 = _conv(4 * width, 8 * width, 4, stride=2)
        self.conv4 = _conv(8 * width, 4 * width, 3)
        self.conv5 = _conv(4 * width, 2 * width, 3)
        self.conv6 = _conv(2 * width, width, 3)
        self.conv7 = _conv(width, width, 3)
        self.conv8 = _conv(width, width, 3)
        self.conv9 = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x0 = _act(self.conv0(x))
        x1 = _act(self.conv1(x0))
        x2 = _act(self.conv2(x1))
        x3 = _act(self.conv3(x2))
        x4 = _act(self.conv4(_doubled(x3))) + x2
        x5 = _act(self.conv5(_doubled(x4))) + x1
        x6 = _act(self.conv6(_doubled(x5))) + x0
        return self.conv9(_act(self.conv8(_act(self.conv7(x6)))))


def _conv(channels: int, out: int, kernel_size: int, stride: int = 1) -> SpectralConv2d:
    return SpectralConv2d(channels, out, kernel_size, stride=stride, padding=1, bias=False)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _act(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)
