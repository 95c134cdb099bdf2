"""DenseNet: every layer reads all maps before it and adds a few of its own.

Huang, Liu, van der Maaten & Weinberger 2016, "Densely Connected Convolutional Networks" (arXiv:1608.06993).

The idea: a ResNet *adds* each block's result to what was there, so later layers see only a sum. A DenseNet keeps it
all, side by side. Layer l is given the maps of all layers before it and appends G new channels, the growth rate:

    x_l = [x_0, H(x_0), H(x_1), …, H(x_{l-1})]         H: BN → ReLU → 1×1 to 4·G → BN → ReLU → 3×3 to G

No layer has to copy what others already found, so G can be small (32), and the nets need few weights for their
score. The price is memory: each layer makes a copy of everything before it.

Concatenation needs one size, so the net is four dense blocks, and between them transitions that halve the channels
(the paper's compression 0.5) and the map:

    image → conv 7×7 /2 → max-pool /2 → block 1 (/4) → transition → block 2 (/8) → transition → block 3 (/16)
          → transition → block 4 (/32) → BN → ReLU → mean → classes

These are the paper's DenseNet-BC: B for the 1×1 bottleneck, C for the compression.

What differs from the paper and from torchvision: the transition averages 2×2 pixels *before* its 1×1 convolution
rather than after. Both are linear and work on different axes, so the result is the same, for a quarter of the
multiply-adds. torchvision's files have older keys (`norm.1` for `norm1`): see `rename_old_keys`.

| builder | growth G | parameters (M) | GFLOPs, 224² | ours, counted | ImageNet top-1 of torchvision's weights |
|---|---|---|---|---|---|
| `densenet121` | 32 | 8.0 | 2.83 | 2.60 | 74.43 |
| `densenet161` | 48 | 28.7 | 7.73 | 7.05 | 77.14 |
| `densenet169` | 32 | 14.1 | 3.36 | 3.09 | 75.60 |
| `densenet201` | 32 | 20.0 | 4.29 | 3.90 | 76.90 |

GFLOPs are multiply-adds; all figures but ours are those of `torchvision.models.DenseNet121_Weights.IMAGENET1K_V1.meta`
and so on, ours are half of what `torch.utils.flop_counter.FlopCounterMode` counts.

Shape letters: N images, C channels, H height, W width, G growth rate, K classes.
"""

import re
from collections import OrderedDict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.cnn_vision.models.backbone import Backbone, Level

BOTTLENECK = 4
"""A layer's 1×1 convolution has this many times the growth rate as channels."""


class DenseLayer(nn.Module):
    """H of the equation: (N, C, H, W) to G new channels (N, G, H, W)."""

    def __init__(self, in_channels: int, growth_rate: int, drop_rate: float):
        super().__init__()
        hidden = BOTTLENECK * growth_rate
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, hidden, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(hidden, growth_rate, kernel_size=3, padding=1, bias=False)
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(F.relu(self.norm1(x), inplace=True))  # (N, 4·G, H, W)
        x = self.conv2(F.relu(self.norm2(x), inplace=True))  # (N, G, H, W)
        return self.dropout(x)


class DenseBlock(nn.ModuleDict):
    """`depth` layers on maps of one size: (N, C, H, W) to (N, C + depth·G, H, W)."""

    def __init__(self, depth: int, in_channels: int, growth_rate: int, drop_rate: float):
        super().__init__()
        for i in range(depth):
            self[f"denselayer{i + 1}"] = DenseLayer(in_channels + i * growth_rate, growth_rate, drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.values():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class Transition(nn.Module):
    """Half of the channels, half of the height and width: (N, C, H, W) to (N, C/2, H/2, W/2)."""

    def __init__(self, in_channels: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, in_channels // 2, kernel_size=1, bias=False)

    def activate(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(x), inplace=True)

    def shrink(self, activated: Tensor) -> Tensor:
        return self.conv(F.avg_pool2d(activated, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.shrink(self.activate(x))


class DenseNet(Backbone):
    """A DenseNet with `depths[i]` layers in block i + 1, each of which adds `growth_rate` channels.

    `small_images` is for 32×32 and below (at least 8×8): the first convolution is 3×3 with stride 1 and the max-pool
    is left out, so that strides are 1, 2, 4, 8 instead of 4, 8, 16, 32. Keys stay; only `features.conv0.weight` has
    another shape. (The paper's own nets for CIFAR have three blocks rather than four.)

    `drop_rate` is dropout after each layer's 3×3 convolution; the paper takes 0.2 where it does not augment the data.
    Maps of the pyramid are each block's output after the BN and ReLU that follow it.
    """

    def __init__(
        self,
        growth_rate: int,
        depths: tuple[int, int, int, int],
        stem_channels: int,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        small_images: bool = False,
        drop_rate: float = 0.0,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.features = stem(in_channels, stem_channels, small_images)
        channels, stride, levels = stem_channels, 1 if small_images else 4, []
        for i, depth in enumerate(depths):
            if i > 0:
                self.features.add_module(f"transition{i}", Transition(channels))
                channels, stride = channels // 2, stride * 2
            self.features.add_module(f"denseblock{i + 1}", DenseBlock(depth, channels, growth_rate, drop_rate))
            channels += depth * growth_rate
            levels.append(Level(channels, stride))
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.pyramid = tuple(levels)
        self.num_features = channels
        self.reset_classifier(num_classes)
        initialize(self)

    def forward_features(self, x: Tensor) -> Tensor:
        return F.relu(self.features(x), inplace=True)  # (N, C, H/32, W/32)

    def forward_head(self, features: Tensor) -> Tensor:
        return self.classifier(features.mean((2, 3)))  # (N, K), or (N, C) without a classifier

    def forward_pyramid(self, x: Tensor) -> list[Tensor]:
        maps = []
        for module in self.features:
            if isinstance(module, Transition):
                maps.append(module.activate(x))
                x = module.shrink(maps[-1])
            else:
                x = module(x)
        return [*maps, F.relu(x, inplace=True)]

    def reset_classifier(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.classifier: nn.Module = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        initialize(self.classifier)
        self.classifier.to(self.features.get_parameter("conv0.weight"))  # its device and precision


def stem(in_channels: int, channels: int, small_images: bool) -> nn.Sequential:
    """(N, in_channels, H, W) to (N, C, H/4, W/4), or to the same size for small images."""
    if small_images:
        conv, pool = nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.Identity()
    else:
        conv = nn.Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False)
        pool = nn.MaxPool2d(3, stride=2, padding=1)
    norm, relu = nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    return nn.Sequential(OrderedDict(conv0=conv, norm0=norm, relu0=relu, pool0=pool))


def initialize(net: nn.Module) -> None:
    """He's start for convolutions, bias 0 for the classifier; the rest keeps PyTorch's."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)


def rename_old_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state with `denselayer1.norm.1.weight` called `denselayer1.norm1.weight`, and so on.

    torchvision's published files were written when PyTorch still allowed a dot in a module's name. Today's keys pass
    unchanged, so any DenseNet file may go through this before `load_state_dict(strict=True)`.
    """
    return {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", key): v for key, v in state.items()}


# ------------------------------------------------------------------------------------------------ builders


def densenet121(**options: Any) -> DenseNet:
    """The small one: 6 + 12 + 24 + 16 layers of two convolutions."""
    return DenseNet(32, (6, 12, 24, 16), 64, **options)


def densenet161(**options: Any) -> DenseNet:
    """The wide one: growth rate 48."""
    return DenseNet(48, (6, 12, 36, 24), 96, **options)


def densenet169(**options: Any) -> DenseNet:
    """densenet121 with 32 layers in each of the last two blocks."""
    return DenseNet(32, (6, 12, 32, 32), 64, **options)


def densenet201(**options: Any) -> DenseNet:
    """densenet121 with 48 and 32 layers in the last two blocks."""
    return DenseNet(32, (6, 12, 48, 32), 64, **options)
