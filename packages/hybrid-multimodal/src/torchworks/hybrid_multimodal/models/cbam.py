"""CBAM: first each channel is scaled, then each place.

Woo et al. 2018, "CBAM: Convolutional Block Attention Module" (arXiv:1807.06521).

    x' = x · σ(MLP(mean of x over places) + MLP(max of x over places))            (2)
    y  = x' · σ(conv 7×7([mean of x' over channels, max of x' over channels]))    (3)

The convolution is followed by a batch norm, as in the authors' code; the paper does not mention it.

Shapes: N images, C channels, H × W places, R reduced channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

KERNEL = 7


class ChannelAttention(nn.Module):
    """(N, C, H, W) to the same shape, each channel scaled."""

    def __init__(self, channels: int, reduced: int):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, reduced, 1, bias=False)
        self.fc2 = nn.Conv2d(reduced, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        first, second = (self.fc2(F.relu(self.fc1(z))) for z in squeezed)
        return x * (first + second).sigmoid()


class ConvNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, KERNEL, padding=KERNEL // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class SpatialAttention(nn.Module):
    """(N, C, H, W) to the same shape, each place scaled."""

    def __init__(self):
        super().__init__()
        self.conv = ConvNorm()

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * self.conv(seen).sigmoid()


class CBAM(nn.Module):
    """(N, C, H, W) to the same shape. Names and numbers are those of timm's `CbamModule`."""

    def __init__(self, channels: int, reduced: int):
        super().__init__()
        self.channel, self.spatial = ChannelAttention(channels, reduced), SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        return self.spatial(self.channel(x))
