"""EfficientNet: one small net found by search, and one number that makes it larger.

Tan & Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (arXiv:1905.11946).

The idea: a net can grow in depth (more blocks), in width (more channels) or in resolution (larger images). Growing one
alone soon stops helping; the three belong together. With the coefficient φ,

    depth = 1.2^φ    width = 1.1^φ    resolution = 1.15^φ        (equation 3)

so that multiply-adds, which go as depth · width² · resolution², double with each step of φ. The base net B0 was found
by search; B1 to B7 are B0 with growing φ. A block is MobileNet's inverted residual with squeeze-excitation everywhere
and SiLU, x·σ(x), as its activation (blocks.py):

    x → [1×1, C → tC] → [k×k depthwise] → [squeeze-excitation, to C/4] → [1×1, tC → C'] → stochastic depth → (+ x)

Larger nets overfit more. The head's dropout therefore grows with the net, from 0.2 to 0.5, and block i of L (from 0)
is left out of an image's path with probability 0.2 · i / L: rarely early, where all else depends on it, more often
late.

What differs from the paper, here as in torchvision's: convolutions pad by the same number of pixels on both sides
(TensorFlow pads right and below first), and batch norm is torch's usual one up to B4 (eps 1e-5, momentum 0.1) but that
of the authors' code from B5 on (eps 0.001, momentum 0.01), since the published weights want it so. The factors in
the table are those of the authors' code; they follow the powers only roughly.

| builder | width | depth | parameters | GFLOPs | at | ImageNet top-1 |
|---|---|---|---|---|---|---|
| `efficientnet_b0` | 1.0 | 1.0 | 5.29 M | 0.39 | 224 | 77.7 % |
| `efficientnet_b1` | 1.0 | 1.1 | 7.79 M | 0.69 | 240 | 79.8 % |
| `efficientnet_b2` | 1.1 | 1.2 | 9.11 M | 1.09 | 288 | 80.6 % |
| `efficientnet_b3` | 1.2 | 1.4 | 12.23 M | 1.83 | 300 | 82.0 % |
| `efficientnet_b4` | 1.4 | 1.8 | 19.34 M | 4.39 | 380 | 83.4 % |
| `efficientnet_b5` | 1.6 | 2.2 | 30.39 M | 10.27 | 456 | 83.4 % |
| `efficientnet_b6` | 1.8 | 2.6 | 43.04 M | 19.07 | 528 | 84.0 % |
| `efficientnet_b7` | 2.0 | 3.1 | 66.35 M | 37.75 | 600 | 84.1 % |

GFLOPs are multiply-adds at the size in "at"; accuracies are those of torchvision's IMAGENET1K_V1 weights, for B1 of
IMAGENET1K_V2.

Shapes: N images, C channels, H × W the image's size, K classes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import nn

from torchworks.cnn_vision.models.blocks import (
    ChainBackbone,
    ConvNormActivation,
    MBConv,
    Norm,
    SqueezeExcitation,
    divisible_by_8,
    strides_of,
)


def mbconv(
    c_in: int, c_out: int, *, expansion: int, kernel: int, stride: int, norm: Norm, stochastic_depth: float
) -> nn.Module:
    """The block of EfficientNet. It squeezes to a quarter of `c_in`, not of the expanded channels."""
    hidden = divisible_by_8(c_in * expansion)
    return MBConv(
        c_in,
        c_out,
        hidden=hidden,
        kernel=kernel,
        stride=stride,
        norm=norm,
        activation=nn.SiLU,
        squeeze=SqueezeExcitation(hidden, max(1, c_in // 4), nn.SiLU, nn.Sigmoid),
        stochastic_depth=stochastic_depth,
    )


@dataclass(frozen=True)
class Stage:
    """`depth` blocks with `channels` out, of which the first has the stride."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    depth: int
    make: Callable[..., nn.Module] = mbconv
    """What makes a block, with the arguments of `mbconv`."""


STEM_CHANNELS = 32
B0 = (  # the paper's table 1; map at the end of each stage, for an H × W image
    Stage(1, 3, 1, 16, 1),  # (N, 16, H/2, W/2)
    Stage(6, 3, 2, 24, 2),  # (N, 24, H/4, W/4)
    Stage(6, 5, 2, 40, 2),  # (N, 40, H/8, W/8)
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),  # (N, 112, H/16, W/16)
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),  # (N, 320, H/32, W/32)
)


class EfficientNet(ChainBackbone):
    """Images (N, in_channels, H, W) to logits (N, num_classes).

    `stages` is a table as above, between a stem of `stem_channels` and a 1×1 convolution to `last_channels`.
    `small_images` leaves out the first two halvings (the stem's, and the first after it): strides 1, 2, 4 and 8
    instead of 2 to 32. `drop_rate` is that of the dropout before the classifier; `stochastic_depth` the rate that
    the blocks' rates rise to, from 0 at the first.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        stem_channels: int,
        last_channels: int,
        norm: Norm = nn.BatchNorm2d,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        small_images: bool = False,
        drop_rate: float = 0.2,
        stochastic_depth: float = 0.2,
    ):
        super().__init__()
        self.in_channels, self.drop_rate = in_channels, drop_rate
        channels = [stem_channels, *(stage.channels for stage in stages)]
        strides = strides_of([2, *(stage.stride for stage in stages)], small_images)
        conv = partial(ConvNormActivation, norm=norm, activation=nn.SiLU)
        parts: list[nn.Module] = [conv(in_channels, stem_channels, 3, stride=strides[0])]
        depth = sum(stage.depth for stage in stages)
        rates = iter([stochastic_depth * index / depth for index in range(depth)])
        for stage, c_in, stride in zip(stages, channels, strides[1:], strict=False):
            stage_rates = [next(rates) for _ in range(stage.depth)]
            parts.append(make_stage(replace(stage, stride=stride), c_in, norm, stage_rates))
        parts.append(conv(channels[-1], last_channels, 1))  # (N, last_channels, H/32, W/32)
        self.assemble(parts, [*channels, last_channels], [*strides, 1], num_classes)

    def initialize_linear(self, layer: nn.Linear) -> None:
        """As in the authors' code: uniform, by fan-out."""
        limit = 1 / math.sqrt(layer.out_features)
        nn.init.uniform_(layer.weight, -limit, limit)


def make_stage(stage: Stage, c_in: int, norm: Norm, rates: Sequence[float]) -> nn.Sequential:
    """The blocks of a stage, one for each rate of stochastic depth."""
    make = partial(stage.make, expansion=stage.expansion, kernel=stage.kernel, norm=norm)
    first = make(c_in, stage.channels, stride=stage.stride, stochastic_depth=rates[0])
    others = [make(stage.channels, stage.channels, stride=1, stochastic_depth=rate) for rate in rates[1:]]
    return nn.Sequential(first, *others)


def scaled(width: float, depth: float, options: dict[str, Any], **defaults: Any) -> EfficientNet:
    """B0 with its channels times `width` and its blocks times `depth`; `options` go before `defaults`."""
    stages = [
        replace(stage, channels=divisible_by_8(stage.channels * width), depth=math.ceil(stage.depth * depth))
        for stage in B0
    ]
    return EfficientNet(
        stages,
        stem_channels=divisible_by_8(STEM_CHANNELS * width),
        last_channels=4 * stages[-1].channels,
        **(defaults | options),
    )


authors_norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)


def efficientnet_b0(**options: Any) -> EfficientNet:
    """EfficientNet B0: 5.3 M parameters; options are those of `EfficientNet`."""
    return scaled(1.0, 1.0, options, drop_rate=0.2)


def efficientnet_b1(**options: Any) -> EfficientNet:
    """EfficientNet B1: 7.8 M parameters; options are those of `EfficientNet`."""
    return scaled(1.0, 1.1, options, drop_rate=0.2)


def efficientnet_b2(**options: Any) -> EfficientNet:
    """EfficientNet B2: 9.1 M parameters; options are those of `EfficientNet`, `drop_rate` is 0.3."""
    return scaled(1.1, 1.2, options, drop_rate=0.3)


def efficientnet_b3(**options: Any) -> EfficientNet:
    """EfficientNet B3: 12.2 M parameters; options are those of `EfficientNet`, `drop_rate` is 0.3."""
    return scaled(1.2, 1.4, options, drop_rate=0.3)


def efficientnet_b4(**options: Any) -> EfficientNet:
    """EfficientNet B4: 19.3 M parameters; options are those of `EfficientNet`, `drop_rate` is 0.4."""
    return scaled(1.4, 1.8, options, drop_rate=0.4)


def efficientnet_b5(**options: Any) -> EfficientNet:
    """EfficientNet B5: 30.4 M parameters; options are those of `EfficientNet`, `drop_rate` is 0.4."""
    return scaled(1.6, 2.2, options, drop_rate=0.4, norm=authors_norm)


def efficientnet_b6(**options: Any) -> EfficientNet:
    """EfficientNet B6: 43.0 M parameters; options are those of `EfficientNet`, `drop_rate` is 0.5."""
    return scaled(1.8, 2.6, options, drop_rate=0.5, norm=authors_norm)


def efficientnet_b7(**options: Any) -> EfficientNet:
    """EfficientNet B7: 66.3 M parameters; options are those of `EfficientNet`, `drop_rate` is 0.5."""
    return scaled(2.0, 3.1, options, drop_rate=0.5, norm=authors_norm)
