"""Residual nets over space and time: R3D, MC3 and R(2+1)D.

Tran, Wang, Torresani, Ray, LeCun and Paluri 2018, "A Closer Look at Spatiotemporal Convolutions for Action Recognition"
(arXiv:1711.11248).

The idea: a convolution over time and space, t × d × d, is divided into one over space and one over time with a
nonlinearity between them, which has as many parameters but is easier to train (section 3.5):

    Conv3d(t × d × d)  ≈  Conv3d(t × 1 × 1) ∘ ReLU ∘ BN ∘ Conv3d(1 × d × d),
    M = ⌊t d² N_in N_out / (d² N_in + t N_out)⌋ channels between them

| net | convolutions |
|---|---|
| R3D | 3 × 3 × 3 everywhere |
| MC3 | 3 × 3 × 3 in the stem and the first stage, 1 × 3 × 3 above |
| R(2+1)D | divided everywhere |

`VideoResNet` has the keys of torchvision's. There M is computed once for a block, of its input's channels, and used for
both of its convolutions. `SmallR2Plus1D` is a chain of divided convolutions for small films, of no published net.

Shapes: N films, C channels, T frames, H × W pixels, K classes."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

Conv = Callable[..., nn.Module]
"""A convolution from and to so many channels, with `middle` channels between its halves if it has any."""


class Conv3D(nn.Conv3d):
    """3 × 3 × 3; `stride` is that of time and space."""

    def __init__(self, in_channels: int, out_channels: int, *, middle: int, stride: int = 1):
        super().__init__(in_channels, out_channels, 3, stride, 1, bias=False)


class ConvNoTime(nn.Conv3d):
    """1 × 3 × 3; `stride` is that of space."""

    def __init__(self, in_channels: int, out_channels: int, *, middle: int, stride: int = 1):
        super().__init__(in_channels, out_channels, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)


class Conv2Plus1D(nn.Sequential):
    """1 × 3 × 3, then 3 × 1 × 1; `stride` is that of space and of time. With a `dilation`, the frames that are seen
    together are so far apart, and time has no stride."""

    def __init__(self, in_channels: int, out_channels: int, *, middle: int, stride: int = 1, dilation: int = 0):
        along, apart = (1, dilation) if dilation else (stride, 1)
        super().__init__(
            nn.Conv3d(in_channels, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
            nn.BatchNorm3d(middle),
            nn.ReLU(inplace=True),
            nn.Conv3d(middle, out_channels, (3, 1, 1), (along, 1, 1), (apart, 0, 0), (apart, 1, 1), bias=False),
        )


class Block(nn.Module):
    """Two convolutions and a shortcut: ReLU(x + BN(conv(ReLU(BN(conv(x))))))."""

    def __init__(self, in_channels: int, out_channels: int, conv: Conv, stride: int = 1):
        super().__init__()
        middle = (in_channels * out_channels * 27) // (in_channels * 9 + 3 * out_channels)
        self.conv1 = nn.Sequential(
            conv(in_channels, out_channels, middle=middle, stride=stride),
            nn.BatchNorm3d(out_channels),
            nn.ReLU(inplace=True),
        )
        self.conv2 = nn.Sequential(conv(out_channels, out_channels, middle=middle), nn.BatchNorm3d(out_channels))
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            strides = (1 if conv is ConvNoTime else stride, stride, stride)
            self.downsample = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, strides, bias=False), nn.BatchNorm3d(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return (self.conv2(self.conv1(x)) + shortcut).relu()


class VideoResNet(nn.Module):
    """Films (N, C, T, H, W) of any length → logits (N, K), with the keys of torchvision's `VideoResNet`.

    `convs` are the convolutions of the four stages, `blocks` and `widths` their blocks and channels."""

    def __init__(
        self,
        *,
        convs: Sequence[Conv],
        divided_stem: bool,
        num_classes: int = 400,
        in_channels: int = 3,
        blocks: Sequence[int] = (2, 2, 2, 2),
        widths: Sequence[int] = (64, 128, 256, 512),
    ):
        super().__init__()
        self.stem = _divided_stem(in_channels, widths[0]) if divided_stem else _stem(in_channels, widths[0])
        before = widths[0]
        for number, (conv, count, width) in enumerate(zip(convs, blocks, widths, strict=True), 1):
            stage = [Block(before, width, conv, 1 if number == 1 else 2)]
            stage += [Block(width, width, conv) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*stage))
            before = width
        self.stages = tuple(f"layer{number}" for number in range(1, len(widths) + 1))
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(before, num_classes)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(self.avgpool(x).flatten(1))


def _stem(in_channels: int, width: int) -> nn.Sequential:
    conv = nn.Conv3d(in_channels, width, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
    return nn.Sequential(conv, nn.BatchNorm3d(width), nn.ReLU(inplace=True))


def _divided_stem(in_channels: int, width: int, middle: int = 45) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(in_channels, middle, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(inplace=True),
        nn.Conv3d(middle, width, (3, 1, 1), 1, (1, 0, 0), bias=False),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
    )


def initialize(net: nn.Module) -> None:
    """He et al. 2015 for convolutions, normal with deviation 0.01 for the last layer."""
    for module in net.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
            nn.init.zeros_(module.bias)


def r3d_18(**options) -> VideoResNet:
    """33.4 million parameters with 400 classes."""
    return VideoResNet(convs=[Conv3D] * 4, divided_stem=False, **options)


def mc3_18(**options) -> VideoResNet:
    """11.7 million parameters with 400 classes."""
    return VideoResNet(convs=[Conv3D, *[ConvNoTime] * 3], divided_stem=False, **options)


def r2plus1d_18(**options) -> VideoResNet:
    """31.5 million parameters with 400 classes."""
    return VideoResNet(convs=[Conv2Plus1D] * 4, divided_stem=True, **options)


class SmallR2Plus1D(nn.Module):
    """Films (N, C, T, H, W) of any length → logits (N, K): a divided convolution for each of `widths`, which halves the
    pixels along a side and sees frames that are 1, 2, 4, … apart; then the mean over all of space and time. Time has no
    strides, for torch.export takes none of a film of any length."""

    def __init__(self, *, num_classes: int, in_channels: int = 3, widths: Sequence[int] = (16, 32, 64)):
        super().__init__()
        layers: list[nn.Module] = []
        before = in_channels
        for number, width in enumerate(widths):
            conv = Conv2Plus1D(before, width, middle=width, stride=2, dilation=2**number)
            layers += [conv, nn.BatchNorm3d(width), nn.ReLU(inplace=True)]
            before = width
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(before, num_classes)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x).mean((2, 3, 4)))
