"""MobileNet V3: the inverted residual of V2, tuned by search and by hand for a phone's clock.

Howard, Sandler, Chu, Chen et al. 2019, "Searching for MobileNetV3" (arXiv:1905.02244).

The idea: take V2's block, let a search choose kernel, width and what is in it block by block, against the time measured
on a phone; then mend by hand what the search cannot see.

    x → [1×1, C → hidden] → [k×k depthwise] → [squeeze-excitation] → [1×1, hidden → C'] → (+ x)

1. *Squeeze-excitation* in some blocks: channels are weighed by what the whole image holds (blocks.py).
2. *h-swish* instead of ReLU in the deeper half: swish(x) = x·σ(x) is better than ReLU but slow on a phone, so the
   sigmoid becomes a piece-wise line: h-swish(x) = x · min(max(x + 3, 0), 6) / 6. In the early layers the maps are large
   and it costs more than it gives: these keep ReLU.
3. *A cheaper end*: V2 widens to 1280 channels on the 7×7 map. Here the widest layer comes after pooling, on one pixel:
   1×1 convolution, mean, dense layer, h-swish, classifier (the paper, figure 5).
4. *A cheaper start*: 16 instead of 32 filters in the stem, thanks to h-swish.

What differs from the paper: nothing in the net. Where the paper is brief: squeeze-excitation narrows to a quarter of
the hidden channels, rounded to a multiple of 8; the head's dropout drops 0.2 (the paper's 0.8 is what it keeps);
batch norm has eps 0.001 and momentum 0.01 (the paper's decay of 0.99). `width` multiplies all channels.

| builder | parameters | GFLOPs at 224 | ImageNet top-1 |
|---|---|---|---|
| `mobilenet_v3_small` | 2.54 M | 0.06 | 67.7 % |
| `mobilenet_v3_large` | 5.48 M | 0.22 | 75.3 % |

GFLOPs are multiply-adds; accuracies are those of torchvision's weights (small: IMAGENET1K_V1, large: IMAGENET1K_V2).

Shapes: N images, C channels, H × W the image's size, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from torchworks.cnn_vision.models.blocks import (
    ChainBackbone,
    ConvNormActivation,
    MBConv,
    SqueezeExcitation,
    divisible_by_8,
    strides_of,
)

batch_norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)


@dataclass(frozen=True)
class Block:
    """A row of the paper's tables 1 and 2."""

    kernel: int
    hidden: int
    channels: int
    squeeze: bool
    activation: type[nn.Module]
    stride: int


RE, HS = nn.ReLU, nn.Hardswish

LARGE = (  # table 1; after the stem the map is (N, 16, H/2, W/2)
    Block(3, 16, 16, False, RE, 1),
    Block(3, 64, 24, False, RE, 2),  # (N, 24, H/4, W/4)
    Block(3, 72, 24, False, RE, 1),
    Block(5, 72, 40, True, RE, 2),  # (N, 40, H/8, W/8)
    Block(5, 120, 40, True, RE, 1),
    Block(5, 120, 40, True, RE, 1),
    Block(3, 240, 80, False, HS, 2),  # (N, 80, H/16, W/16)
    Block(3, 200, 80, False, HS, 1),
    Block(3, 184, 80, False, HS, 1),
    Block(3, 184, 80, False, HS, 1),
    Block(3, 480, 112, True, HS, 1),
    Block(3, 672, 112, True, HS, 1),
    Block(5, 672, 160, True, HS, 2),  # (N, 160, H/32, W/32)
    Block(5, 960, 160, True, HS, 1),
    Block(5, 960, 160, True, HS, 1),
)

SMALL = (  # table 2
    Block(3, 16, 16, True, RE, 2),  # (N, 16, H/4, W/4)
    Block(3, 72, 24, False, RE, 2),  # (N, 24, H/8, W/8)
    Block(3, 88, 24, False, RE, 1),
    Block(5, 96, 40, True, HS, 2),  # (N, 40, H/16, W/16)
    Block(5, 240, 40, True, HS, 1),
    Block(5, 240, 40, True, HS, 1),
    Block(5, 120, 48, True, HS, 1),
    Block(5, 144, 48, True, HS, 1),
    Block(5, 288, 96, True, HS, 2),  # (N, 96, H/32, W/32)
    Block(5, 576, 96, True, HS, 1),
    Block(5, 576, 96, True, HS, 1),
)


class MobileNetV3(ChainBackbone):
    """Images (N, in_channels, H, W) to logits (N, num_classes).

    `blocks` is a table as above, `hidden_features` the width of the head's dense layer. `small_images` leaves out the
    first two halvings (the stem's, and the first after it): strides 1, 2, 4 and 8 instead of 2 to 32; the small net's
    first block, which no longer halves, thereby gets a shortcut. `drop_rate` is that of the dropout before the last
    layer. With `num_classes=0` the dense layer goes too: features are those of the last map.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        hidden_features: int,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        small_images: bool = False,
        drop_rate: float = 0.2,
        width: float = 1.0,
    ):
        super().__init__()
        self.in_channels, self.drop_rate = in_channels, drop_rate
        self.hidden_features = divisible_by_8(hidden_features * width)
        channels = [divisible_by_8(c * width) for c in (16, *(block.channels for block in blocks))]
        strides = strides_of([2, *(block.stride for block in blocks)], small_images)
        last = 6 * channels[-1]
        stem = ConvNormActivation(in_channels, channels[0], 3, stride=strides[0], norm=batch_norm, activation=HS)
        rows = zip(blocks, channels, channels[1:], strides[1:], strict=False)
        body = [mbconv(block, c_in, c_out, stride, width) for block, c_in, c_out, stride in rows]
        tail = ConvNormActivation(channels[-1], last, 1, norm=batch_norm, activation=HS)
        self.assemble([stem, *body, tail], [*channels, last], [*strides, 1], num_classes)

    def head(self, num_classes: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Linear(self.num_features, self.hidden_features),
            nn.Hardswish(inplace=True),
            nn.Dropout(self.drop_rate),
            nn.Linear(self.hidden_features, num_classes),
        )


def mbconv(block: Block, c_in: int, c_out: int, stride: int, width: float) -> MBConv:
    hidden = divisible_by_8(block.hidden * width)
    squeeze = SqueezeExcitation(hidden, divisible_by_8(hidden // 4), nn.ReLU, nn.Hardsigmoid) if block.squeeze else None
    return MBConv(
        c_in,
        c_out,
        hidden=hidden,
        kernel=block.kernel,
        stride=stride,
        norm=batch_norm,
        activation=block.activation,
        squeeze=squeeze,
    )


def mobilenet_v3_small(**options: Any) -> MobileNetV3:
    """MobileNet V3 small: 2.5 M parameters; options are those of `MobileNetV3`."""
    return MobileNetV3(SMALL, hidden_features=1024, **options)


def mobilenet_v3_large(**options: Any) -> MobileNetV3:
    """MobileNet V3 large: 5.5 M parameters; options are those of `MobileNetV3`."""
    return MobileNetV3(LARGE, hidden_features=1280, **options)
