"""Inception over space and time with divided convolutions: S3D.

Xie, Sun, Huang, Tu and Murphy 2018, "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video
Classification" (arXiv:1712.04851).

The idea: in the inception net I3D each k × k × k convolution is replaced by 1 × k × k over space, then k × 1 × 1 over
time, both with batch normalization and ReLU: fewer parameters, quicker, more accurate (section 4.2).

Keys are those of torchvision's `S3D`. There the last map is averaged over windows of 2 × 7 × 7, classified, and the
classes averaged; smaller films, of which the last map is smaller than such a window, have a window of the map's size
here.

Shapes: N films, C channels, T frames, H × W pixels, K classes."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW = (2, 7, 7)
"""Of the last map, over which is averaged."""
FEWEST_FRAMES, SMALLEST = 3, 17
"""Films below which nothing is left of the last map."""


class ConvNorm(nn.Sequential):
    """A convolution, batch normalization, ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int, int] = (1, 1, 1),
        stride: tuple[int, int, int] = (1, 1, 1),
    ):
        t, h, w = (size // 2 for size in kernel)
        super().__init__(
            nn.Conv3d(in_channels, out_channels, kernel, stride, (t, h, w), bias=False),
            nn.BatchNorm3d(out_channels, eps=1e-3, momentum=1e-3),
            nn.ReLU(inplace=True),
        )


class Divided(nn.Sequential):
    """Over space, then over time."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1):
        super().__init__(
            ConvNorm(in_channels, out_channels, (1, kernel, kernel), (1, stride, stride)),
            ConvNorm(out_channels, out_channels, (kernel, 1, 1), (stride, 1, 1)),
        )


class Inception(nn.Module):
    """Four branches side by side: 1 × 1 × 1, twice a divided convolution behind 1 × 1 × 1, and pooling."""

    def __init__(
        self,
        in_channels: int,
        plain: int,
        wide: tuple[int, int],
        narrow: tuple[int, int],
        pooled: int,
    ):
        super().__init__()
        self.branch0 = ConvNorm(in_channels, plain)
        self.branch1 = nn.Sequential(ConvNorm(in_channels, wide[0]), Divided(*wide, 3))
        self.branch2 = nn.Sequential(ConvNorm(in_channels, narrow[0]), Divided(*narrow, 3))
        self.branch3 = nn.Sequential(nn.MaxPool3d(3, 1, 1), ConvNorm(in_channels, pooled))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], 1)


class S3D(nn.Module):
    """Films (N, C, T, H, W) of at least 3 frames of 17 pixels → logits (N, K). 8.3 million parameters with 400
    classes."""

    def __init__(self, *, num_classes: int = 400, in_channels: int = 3, drop_rate: float = 0.2):
        super().__init__()
        self.features = nn.Sequential(
            Divided(in_channels, 64, 7, 2),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            ConvNorm(64, 64),
            Divided(64, 192, 3),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            Inception(192, 64, (96, 128), (16, 32), 32),
            Inception(256, 128, (128, 192), (32, 96), 64),
            nn.MaxPool3d(3, 2, 1),
            Inception(480, 192, (96, 208), (16, 48), 64),
            Inception(512, 160, (112, 224), (24, 64), 64),
            Inception(512, 128, (128, 256), (24, 64), 64),
            Inception(512, 112, (144, 288), (32, 64), 64),
            Inception(528, 256, (160, 320), (32, 128), 128),
            nn.MaxPool3d(2, 2),
            Inception(832, 256, (160, 320), (32, 128), 128),
            Inception(832, 384, (192, 384), (48, 128), 128),
        )
        self.classifier = nn.Sequential(nn.Dropout(drop_rate), nn.Conv3d(1024, num_classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        t, h, w = (min(window, size) for window, size in zip(WINDOW, x.shape[2:], strict=True))
        return self.classifier(F.avg_pool3d(x, (t, h, w), 1)).mean((2, 3, 4))
