"""ResNet, ResNeXt and Wide ResNet: blocks that add a correction to what they are given.

He, Zhang, Ren & Sun 2015, "Deep Residual Learning for Image Recognition" (arXiv:1512.03385).
Xie, Girshick, Dollár, Tu & He 2016, "Aggregated Residual Transformations for Deep Neural Networks" (arXiv:1611.05431).
Zagoruyko & Komodakis 2016, "Wide Residual Networks" (arXiv:1605.07146).

The idea: a plain net of 56 layers *fits* its training data worse than one of 20, though it could copy the 20 and do
nothing in the rest. Doing nothing is hard to learn for a stack of convolutions, so make it the default:

    y = ReLU(x + F(x))                       F: a few convolutions, each followed by batch normalization

With F = 0 the block passes x on, and the gradient reaches early layers through the sum undiminished.

    BasicBlock F:  3×3 → 3×3                 resnet18, resnet34
    Bottleneck F:  1×1 down → 3×3 → 1×1 up   the rest: the 3×3 works on fewer channels, the output has 4 × as many

Where a block halves the map or changes its channels, x takes a 1×1 convolution of stride 2 (`downsample`) instead of
the plain shortcut. ResNeXt cuts the bottleneck's 3×3 into 32 or 64 groups, which buys width for the same cost;
Wide ResNet doubles its channels, which runs faster on a GPU than doubling the depth.

    image → conv 7×7 /2 → max-pool /2 → layer1 (/4) → layer2 (/8) → layer3 (/16) → layer4 (/32) → mean → classes

What differs from the papers, as in torchvision: the bottleneck's stride is in its 3×3 rather than its first 1×1 (known
as v1.5, of which NVIDIA reports about 0.5 % more top-1: https://pytorch.org/hub/nvidia_deeplearningexamples_resnet50/);
of Wide ResNet there are the two nets for ImageNet, which are bottlenecks. New here, and off unless asked for: dropout
before the classifier, and stochastic depth (stochastic_depth.py), which leaves out whole F's at random, later ones
with a higher probability.

resnet20 to resnet56 are the nets of the paper's section 4.2, for images of 32 pixels and below: 16 channels at the
start, three layers, basic blocks (6n + 2 convolutions with a layer's n blocks). torchvision has none of them. Where the
shape changes they take the 1×1 projection too, for which the paper pads with zeros (its option A).

| builder | parameters (M) | GFLOPs, 224² | ImageNet top-1 of torchvision's weights V1 | V2 |
|---|---|---|---|---|
| `resnet18` | 11.7 | 1.81 | 69.76 | – |
| `resnet34` | 21.8 | 3.66 | 73.31 | – |
| `resnet50` | 25.6 | 4.09 | 76.13 | 80.86 |
| `resnet101` | 44.5 | 7.80 | 77.37 | 81.89 |
| `resnet152` | 60.2 | 11.51 | 78.31 | 82.28 |
| `resnext50_32x4d` | 25.0 | 4.23 | 77.62 | 81.20 |
| `resnext101_32x8d` | 88.8 | 16.41 | 79.31 | 82.83 |
| `resnext101_64x4d` | 83.5 | 15.46 | 83.25 | – |
| `wide_resnet50_2` | 68.9 | 11.40 | 78.47 | 81.60 |
| `wide_resnet101_2` | 126.9 | 22.75 | 78.85 | 82.51 |
| `resnet20` | 0.27 with 10 classes | 0.041 at 32² | – | – |
| `resnet32` | 0.47 with 10 classes | 0.069 at 32² | – | – |
| `resnet56` | 0.86 with 10 classes | 0.126 at 32² | – | – |

GFLOPs are multiply-adds; figures are those of `torchvision.models.ResNet50_Weights.IMAGENET1K_V1.meta` and so on, for
resnet20 to resnet56 counted as `cnn-vision models` counts.
V2 is the same net trained longer with stronger augmentation: three to five points from training alone.

Shape letters: N images, C channels, H height, W width, K classes, E expansion (1 basic, 4 bottleneck).
"""

from typing import Any, ClassVar

from torch import Tensor, nn

from torchworks.cnn_vision.models.backbone import Backbone, Level
from torchworks.cnn_vision.models.stochastic_depth import StochasticDepth


class Block(nn.Module):
    """y = ReLU(shortcut(x) + F(x)): (N, C, H, W) to (N, E·channels, H / stride, W / stride).

    `width` is the number of channels inside a bottleneck, `drop_path` the probability that F is left out for an
    image in training.
    """

    expansion: ClassVar[int]
    downsample: nn.Module | None

    def __init__(self, drop_path: float):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.drop_path = StochasticDepth(drop_path)

    def residual(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(self.drop_path(self.residual(x)) + shortcut)


class BasicBlock(Block):
    """Two 3×3 convolutions. Raises `ValueError` for groups or another width, which only bottlenecks have."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, *, width: int, stride: int, groups: int, drop_path: float):
        if groups != 1 or width != channels:
            raise ValueError("BasicBlock supports only groups=1 and width_per_group=64; take Bottleneck for others.")
        super().__init__(drop_path)
        self.conv1 = conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = projection(in_channels, channels, stride)

    def residual(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, C, H/stride, W/stride)
        return self.bn2(self.conv2(x))


class Bottleneck(Block):
    """1×1 to `width` channels, 3×3 in `groups`, 1×1 to 4 × `channels`."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, *, width: int, stride: int, groups: int, drop_path: float):
        super().__init__(drop_path)
        out_channels = channels * self.expansion
        self.conv1 = conv1x1(in_channels, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride, groups)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, out_channels)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = projection(in_channels, out_channels, stride)

    def residual(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))  # (N, width, H, W)
        x = self.relu(self.bn2(self.conv2(x)))  # (N, width, H/stride, W/stride)
        return self.bn3(self.conv3(x))  # (N, 4·channels, H/stride, W/stride)


BlockType = type[BasicBlock] | type[Bottleneck]


class ResNet(Backbone):
    """A ResNet with `depths[i]` blocks in stage i + 1, on `channels` · 2^i channels.

    `small_images` is for 32×32 and below (at least 8×8): the first convolution is 3×3 with stride 1 and the max-pool
    is left out, as is usual for CIFAR, so that strides are 1, 2, 4, 8 instead of 4, 8, 16, 32. Keys stay; only
    `conv1.weight` has another shape.

    `drop_rate` is dropout before the classifier; `stochastic_depth` the probability to leave out the last block,
    falling linearly to 0 at the first. `zero_init_residual` starts every block as "do nothing" (Goyal et al. 2017,
    arXiv:1706.02677). `groups` and `width_per_group` make ResNeXt and Wide ResNet out of bottlenecks.
    """

    def __init__(
        self,
        block: BlockType,
        depths: tuple[int, ...],
        channels: int = 64,
        groups: int = 1,
        width_per_group: int = 64,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        small_images: bool = False,
        drop_rate: float = 0.0,
        stochastic_depth: float = 0.0,
        zero_init_residual: bool = False,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.pyramid = tuple(
            Level(channels * 2**i * block.expansion, (1 if small_images else 4) * 2**i) for i in range(len(depths))
        )
        self.num_features = self.pyramid[-1].channels
        if small_images:
            self.conv1 = conv3x3(in_channels, channels)
        else:
            self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(3, stride=2, padding=1)
        stages = make_stages(block, depths, channels, groups, width_per_group, stochastic_depth)
        self.num_stages = len(stages)
        for i, stage in enumerate(stages, start=1):
            self.add_module(f"layer{i}", stage)
        self.dropout = nn.Dropout(drop_rate)
        self.reset_classifier(num_classes)
        initialize(self, zero_init_residual)

    def forward_features(self, x: Tensor) -> Tensor:
        x = self._stem(x)
        for stage in self.stages():
            x = stage(x)
        return x  # (N, 512·E, H/32, W/32), of the small nets (N, 64, H/4, W/4)

    def forward_head(self, features: Tensor) -> Tensor:
        pooled = features.mean((2, 3))  # (N, 512·E)
        return self.fc(self.dropout(pooled)) if self.num_classes else pooled

    def forward_pyramid(self, x: Tensor) -> list[Tensor]:
        maps = [self._stem(x)]
        for stage in self.stages():
            maps.append(stage(maps[-1]))
        return maps[1:]

    def reset_classifier(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.fc: nn.Module = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self.fc.to(self.conv1.weight)  # its device and precision

    def _stem(self, x: Tensor) -> Tensor:
        return self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (N, 64, H/4, W/4)

    def stages(self) -> list[nn.Module]:
        """`layer1`, `layer2`, …, as torchvision names them."""
        return [self.get_submodule(f"layer{i}") for i in range(1, self.num_stages + 1)]


def make_stages(
    block: BlockType, depths: tuple[int, ...], channels: int, groups: int, width_per_group: int, stochastic_depth: float
) -> list[nn.Sequential]:
    """Sequences of blocks: channels double and the map halves at the start of each stage but the first."""
    stages, in_channels = [], channels
    drop_paths = iter(stochastic_depth * k / (sum(depths) - 1) for k in range(sum(depths)))
    for i, depth in enumerate(depths):
        out_channels, blocks = channels * 2**i, []
        width = out_channels * width_per_group // 64 * groups
        for j in range(depth):
            stride = 2 if i > 0 and j == 0 else 1
            kind = {"width": width, "stride": stride, "groups": groups}
            blocks.append(block(in_channels, out_channels, drop_path=next(drop_paths), **kind))
            in_channels = out_channels * block.expansion
        stages.append(nn.Sequential(*blocks))
    return stages


def conv3x3(in_channels: int, out_channels: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, groups=groups, bias=False)


def conv1x1(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)


def projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """The shortcut of a block that changes the shape; None where x can be added as it is."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(conv1x1(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))


def initialize(net: ResNet, zero_init_residual: bool) -> None:
    """He's start for convolutions; the rest keeps PyTorch's."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif zero_init_residual and isinstance(module, (BasicBlock, Bottleneck)):
            last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
            nn.init.zeros_(last.weight)


# ------------------------------------------------------------------------------------------------ builders


def resnet18(**options: Any) -> ResNet:
    """The small one: basic blocks, 2 in each layer."""
    return ResNet(BasicBlock, (2, 2, 2, 2), **options)


def resnet34(**options: Any) -> ResNet:
    """The deepest of basic blocks."""
    return ResNet(BasicBlock, (3, 4, 6, 3), **options)


def resnet50(**options: Any) -> ResNet:
    """resnet34 with bottlenecks in place of basic blocks: the usual choice."""
    return ResNet(Bottleneck, (3, 4, 6, 3), **options)


def resnet101(**options: Any) -> ResNet:
    """17 more bottlenecks in layer 3."""
    return ResNet(Bottleneck, (3, 4, 23, 3), **options)


def resnet152(**options: Any) -> ResNet:
    """The paper's deepest for ImageNet."""
    return ResNet(Bottleneck, (3, 8, 36, 3), **options)


def resnext50_32x4d(**options: Any) -> ResNet:
    """resnet50 whose 3×3 convolutions have 32 groups, of 4 channels each in layer 1."""
    return ResNet(Bottleneck, (3, 4, 6, 3), groups=32, width_per_group=4, **options)


def resnext101_32x8d(**options: Any) -> ResNet:
    """resnet101 whose 3×3 convolutions have 32 groups, of 8 channels each in layer 1."""
    return ResNet(Bottleneck, (3, 4, 23, 3), groups=32, width_per_group=8, **options)


def resnext101_64x4d(**options: Any) -> ResNet:
    """resnet101 whose 3×3 convolutions have 64 groups, of 4 channels each in layer 1."""
    return ResNet(Bottleneck, (3, 4, 23, 3), groups=64, width_per_group=4, **options)


def wide_resnet50_2(**options: Any) -> ResNet:
    """resnet50 whose 3×3 convolutions are twice as wide."""
    return ResNet(Bottleneck, (3, 4, 6, 3), width_per_group=128, **options)


def wide_resnet101_2(**options: Any) -> ResNet:
    """resnet101 whose 3×3 convolutions are twice as wide."""
    return ResNet(Bottleneck, (3, 4, 23, 3), width_per_group=128, **options)


def resnet20(**options: Any) -> ResNet:
    """For small images, whatever `small_images` says: 3 blocks in each of three layers."""
    return _for_small_images(3, options)


def resnet32(**options: Any) -> ResNet:
    """For small images: 5 blocks in each of three layers."""
    return _for_small_images(5, options)


def resnet56(**options: Any) -> ResNet:
    """For small images: 9 blocks in each of three layers."""
    return _for_small_images(9, options)


def _for_small_images(blocks: int, options: dict[str, Any]) -> ResNet:
    return ResNet(BasicBlock, (blocks,) * 3, channels=16, **options | {"small_images": True})
