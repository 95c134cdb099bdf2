"""MobileNet V2: residual blocks turned inside out, for phones.

Sandler, Howard, Zhu, Zhmoginov & Chen 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks"
(arXiv:1801.04381).

The idea: a block takes few channels, widens them t = 6 times, filters each channel by itself, and narrows them again.

    x → [1×1, C → tC, ReLU6] → [3×3 depthwise, ReLU6] → [1×1, tC → C'] → (+ x)

1. *Depthwise*: a 3×3 convolution of tC channels with itself would cost 9·(tC)² multiply-adds a pixel; each channel
   alone costs 9·tC. Mixing channels is left to the 1×1 convolutions.
2. *Linear bottleneck*: there is no ReLU after the projection. A ReLU zeroes half of what it is given; in many channels
   the rest still tells what was lost, in few it does not (the paper, section 3.2).
3. *Inverted residual*: the shortcut joins the narrow maps, so only these must be kept in memory between blocks.

ReLU6 = min(max(x, 0), 6) keeps activations in a range that 8-bit arithmetic can hold.

What differs from the paper: nothing in the net. The head has dropout 0.2, as torchvision's. `width` is the paper's
width multiplier: channels are multiplied and rounded to multiples of 8, and the last convolution never gets narrower
than 1280.

| builder | parameters | GFLOPs at 224 | ImageNet top-1 |
|---|---|---|---|
| `mobilenet_v2` | 3.50 M | 0.30 | 72.2 % |

GFLOPs are multiply-adds; the accuracy is that of torchvision's IMAGENET1K_V2 weights.

Shapes: N images, C channels, H × W the image's size, K classes.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from torchworks.cnn_vision.models.blocks import ChainBackbone, ConvNormActivation, divisible_by_8, strides_of


@dataclass(frozen=True)
class Stage:
    """A row of the paper's table 2: `depth` blocks, of which the first has the stride."""

    expansion: int
    channels: int
    depth: int
    stride: int


STAGES = (  # map at the end of each, for an H × W image
    Stage(1, 16, 1, 1),  # (N, 16, H/2, W/2)
    Stage(6, 24, 2, 2),  # (N, 24, H/4, W/4)
    Stage(6, 32, 3, 2),  # (N, 32, H/8, W/8)
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),  # (N, 96, H/16, W/16)
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),  # (N, 320, H/32, W/32)
)


class MobileNetV2(ChainBackbone):
    """Images (N, in_channels, H, W) to logits (N, num_classes).

    `small_images` leaves out the first two halvings (the stem's, and that of the 24-channel stage): strides 1, 2, 4
    and 8 instead of 2 to 32, as is usual for CIFAR. `drop_rate` is that of the dropout before the classifier.
    """

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        small_images: bool = False,
        drop_rate: float = 0.2,
        width: float = 1.0,
    ):
        super().__init__()
        self.in_channels, self.drop_rate = in_channels, drop_rate
        rows = [(stage, index) for stage in STAGES for index in range(stage.depth)]
        last = divisible_by_8(1280 * max(1.0, width))
        channels = [divisible_by_8(c * width) for c in (32, *(stage.channels for stage, _ in rows))]
        strides = strides_of([2, *(1 if index else stage.stride for stage, index in rows)], small_images)
        parts: list[nn.Module] = [conv_bn_relu6(in_channels, channels[0], 3, stride=strides[0])]
        for (stage, _), c_in, c_out, stride in zip(rows, channels, channels[1:], strides[1:], strict=False):
            parts.append(InvertedResidual(c_in, c_out, stride, stage.expansion))
        parts.append(conv_bn_relu6(channels[-1], last, 1))  # (N, 1280, H/32, W/32)
        self.assemble(parts, [*channels, last], [*strides, 1], num_classes)


class InvertedResidual(nn.Module):
    """Expand, filter each channel alone, project linearly; with a shortcut where the shapes agree.

    This is `blocks.MBConv` but for its activation and the names of its parameters: the projection is not nested.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, expansion: int):
        super().__init__()
        hidden = c_in * expansion
        expand = [conv_bn_relu6(c_in, hidden, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *expand,
            conv_bn_relu6(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, c_out, 1, bias=False),
            nn.BatchNorm2d(c_out),
        )
        self.has_shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.has_shortcut else self.conv(x)


def conv_bn_relu6(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> ConvNormActivation:
    return ConvNormActivation(
        c_in, c_out, kernel, stride=stride, groups=groups, norm=nn.BatchNorm2d, activation=nn.ReLU6
    )


def mobilenet_v2(**options: Any) -> MobileNetV2:
    """MobileNet V2 1.0: 3.5 M parameters; options are those of `MobileNetV2`."""
    return MobileNetV2(**options)
