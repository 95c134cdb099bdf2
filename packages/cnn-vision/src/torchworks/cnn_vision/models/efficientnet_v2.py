"""EfficientNet V2: as accurate as V1's large nets, and several times faster to train.

Tan & Le 2021, "EfficientNetV2: Smaller Models and Faster Training" (arXiv:2104.00298).

The idea: V1 was searched for few multiply-adds, but these are not seconds. A depthwise convolution does little
arithmetic for each number that it reads, so on a GPU or TPU it waits for memory; it is at its worst in the early
stages, where the maps are large and the channels few. V2 was searched for training time, with a second block to choose
from, in which one ordinary convolution does the expanding and the filtering:

    MBConv:        x → [1×1, C → tC] → [k×k depthwise] → [squeeze-excitation] → [1×1, tC → C'] → (+ x)
    Fused-MBConv:  x → [k×k, C → tC]                                          → [1×1, tC → C'] → (+ x)

More arithmetic, fewer and denser steps. The search takes the fused block for the first three stages and MBConv after
them, where fusing would cost too much: the k×k convolution grows with t·C². It also likes smaller expansions (4 rather
than 6), only 3×3 kernels, and more layers to make up for them.

The paper's other half is the training: images, dropout and augmentation grow together in the course of it
("progressive learning"). That is a matter of the recipe, not of the net.

What differs from the paper, here as in torchvision's: symmetric padding, and batch norm with eps 0.001 but torch's
usual momentum 0.1. Dropout and the stochastic depth's last rate are 0.2.

| builder | parameters | GFLOPs at 384 | ImageNet top-1 |
|---|---|---|---|
| `efficientnet_v2_s` | 21.46 M | 8.37 | 84.2 % |

GFLOPs are multiply-adds; the accuracy is that of torchvision's IMAGENET1K_V1 weights.

Shapes: N images, C channels, H × W the image's size, K classes.
"""

from functools import partial
from typing import Any

from torch import Tensor, nn

from torchworks.cnn_vision.models.blocks import ConvNormActivation, Norm, divisible_by_8
from torchworks.cnn_vision.models.efficientnet import EfficientNet, Stage
from torchworks.cnn_vision.models.stochastic_depth import StochasticDepth


class FusedMBConv(nn.Module):
    """One k×k convolution expands and filters, a 1×1 projects; without expansion the k×k is all there is."""

    def __init__(
        self, c_in: int, c_out: int, *, expansion: int, kernel: int, stride: int, norm: Norm, stochastic_depth: float
    ):
        super().__init__()
        hidden = divisible_by_8(c_in * expansion)
        conv = partial(ConvNormActivation, norm=norm)
        if hidden == c_in:
            layers = [conv(c_in, c_out, kernel, stride=stride, activation=nn.SiLU)]
        else:
            layers = [
                conv(c_in, hidden, kernel, stride=stride, activation=nn.SiLU),  # (N, tC, H / stride, W / stride)
                conv(hidden, c_out, 1, activation=None),
            ]
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(stochastic_depth)
        self.has_shortcut = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        if self.has_shortcut:
            return x + self.stochastic_depth(self.block(x))
        return self.block(x)


SMALL = (  # the paper's table 4; map at the end of each stage, for an H × W image
    Stage(1, 3, 1, 24, 2, FusedMBConv),  # (N, 24, H/2, W/2)
    Stage(4, 3, 2, 48, 4, FusedMBConv),  # (N, 48, H/4, W/4)
    Stage(4, 3, 2, 64, 4, FusedMBConv),  # (N, 64, H/8, W/8)
    Stage(4, 3, 2, 128, 6),
    Stage(6, 3, 1, 160, 9),  # (N, 160, H/16, W/16)
    Stage(6, 3, 2, 256, 15),  # (N, 256, H/32, W/32)
)


def efficientnet_v2_s(**options: Any) -> EfficientNet:
    """EfficientNet V2 small: 21.5 M parameters; options are those of `EfficientNet`."""
    norm = partial(nn.BatchNorm2d, eps=0.001)
    return EfficientNet(SMALL, stem_channels=24, last_channels=1280, norm=norm, **options)
