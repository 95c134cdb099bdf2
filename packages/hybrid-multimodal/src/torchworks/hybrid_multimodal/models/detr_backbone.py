"""The residual network under DETR, with the names of Hugging Face's `ResNetBackbone`, and a small one for small scenes.

He et al. 2015, "Deep Residual Learning for Image Recognition" (arXiv:1512.03385).

DETR keeps its backbone's batch norms frozen, since few images fit on a GPU at a time (Carion et al. 2020, section 4):
`norm="frozen"`. A net that starts from nothing normalizes within each image by groups of channels instead (Wu & He
2018, arXiv:1803.08494).

Shapes: N images, C channels, H × W pixels, D channels of the map, h × w cells of it.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["frozen", "group"]
EPS = 1e-5


class FrozenBatchNorm(nn.Module):
    """Batch norm whose statistics and weights are buffers: they come with pretrained weights and never change."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int):
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + EPS).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


class ConvLayer(nn.Module):
    """Convolution, normalization and, if `act`, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, size: int = 3, *, stride: int = 1, act: bool = True, norm: Norm
    ):
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, size, stride, size // 2, bias=False)
        self.normalization = FrozenBatchNorm(out_channels) if norm == "frozen" else nn.GroupNorm(8, out_channels)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        x = self.normalization(self.convolution(x))
        return F.relu(x) if self.act else x


class ResidualLayer(nn.Module):
    """relu(shortcut(x) + layer(x)): two convolutions of 3 × 3, or a bottleneck of a quarter of the channels."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, bottleneck: bool, norm: Norm):
        super().__init__()
        same = in_channels == out_channels and stride == 1
        self.shortcut = (
            nn.Identity() if same else ConvLayer(in_channels, out_channels, 1, stride=stride, act=False, norm=norm)
        )
        if bottleneck:
            inner = out_channels // 4
            layers = [
                ConvLayer(in_channels, inner, 1, norm=norm),
                ConvLayer(inner, inner, stride=stride, norm=norm),
                ConvLayer(inner, out_channels, 1, act=False, norm=norm),
            ]
        else:
            layers = [
                ConvLayer(in_channels, out_channels, stride=stride, norm=norm),
                ConvLayer(out_channels, out_channels, act=False, norm=norm),
            ]
        self.layer = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.layer(x))


class Stage(nn.Module):
    """`depth` residual layers, the first of which has the stride."""

    def __init__(self, in_channels: int, out_channels: int, *, depth: int, stride: int, bottleneck: bool, norm: Norm):
        super().__init__()
        sizes = [(in_channels, stride), *[(out_channels, 1)] * (depth - 1)]
        self.layers = nn.Sequential(
            *(ResidualLayer(a, out_channels, stride=s, bottleneck=bottleneck, norm=norm) for a, s in sizes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Stages(nn.Module):
    """All stages, one after the other."""

    def __init__(self, stages: Sequence[nn.Module]):
        super().__init__()
        self.stages = nn.Sequential(*stages)

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(x)


class Embedder(nn.Module):
    """The stem: a convolution of stride 2 and, in the net of the paper, a max pooling of stride 2."""

    def __init__(self, in_channels: int, out_channels: int, *, large: bool, norm: Norm):
        super().__init__()
        self.embedder = ConvLayer(in_channels, out_channels, 7 if large else 3, stride=2, norm=norm)
        self.pool = large

    def forward(self, x: Tensor) -> Tensor:
        x = self.embedder(x)
        return F.max_pool2d(x, 3, 2, 1) if self.pool else x


class ResNetMap(nn.Module):
    """Images (N, C, H, W) to a map (N, widths[-1], H / stride, W / stride), with one stage for each width. The stem
    halves the map, the `large` one twice; so does every stage, but after a large stem not the first.

    ResNet-50 is `ResNetMap(64, (256, 512, 1024, 2048), (3, 4, 6, 3), bottleneck=True, large=True, norm="frozen")`.
    """

    def __init__(
        self,
        stem_width: int,
        widths: Sequence[int],
        depths: Sequence[int],
        *,
        bottleneck: bool = False,
        large: bool = False,
        norm: Norm = "group",
        in_channels: int = 3,
    ):
        super().__init__()
        self.embedder = Embedder(in_channels, stem_width, large=large, norm=norm)
        stages = [
            Stage(before, width, depth=depth, stride=1 if large and not i else 2, bottleneck=bottleneck, norm=norm)
            for i, (before, width, depth) in enumerate(zip((stem_width, *widths), widths, depths, strict=False))
        ]
        self.encoder = Stages(stages)
        self.width, self.stride = widths[-1], 2 ** (len(widths) + 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder(self.embedder(images))
