"""Feature pyramid: maps of several strides, each with the semantics of the coarsest.

Lin, Dollár, Girshick, He, Hariharan & Belongie 2017, "Feature Pyramid Networks for Object Detection"
(arXiv:1612.03144).

The idea: a backbone's large maps are precise in place but contain only edges and textures; its small maps contain
objects but are coarse. Go back from small to large, and add at each size the backbone's own map (the paper, figure 3):

    P_last = 1×1(C_last)        P_i = 1×1(C_i) + up(P_{i+1})        each P is smoothed by a 3×3 at the end

All maps then have the same channels, so one head serves them all: small objects are found on large maps, large ones on
small maps. One more map, every second place of the last, is for the largest objects.

What differs from the paper: nothing. `state_dict` keys are torchvision's.

Shape letters: N images, C channels of the pyramid, H × W the size of a map.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.cnn_vision.models.resnet import BasicBlock, ResNet

Net = TypeVar("Net", bound=nn.Module)

SMALLEST_STRIDE = 4
"""Maps finer than this cost much and add little."""


class FeaturePyramid(nn.Module):
    """Maps of `in_channels[i]` channels, from large to small, to maps of `channels`, and a last one half as large."""

    def __init__(self, in_channels: list[int], channels: int = 256):
        super().__init__()
        self.inner_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(c, channels, 1)) for c in in_channels)
        self.layer_blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1)) for _ in in_channels
        )
        start_convolutions(self, partial(nn.init.kaiming_uniform_, a=1))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        merged = [block(x) for block, x in zip(self.inner_blocks, maps, strict=True)]
        for i in range(len(merged) - 2, -1, -1):
            merged[i] = merged[i] + F.interpolate(merged[i + 1], size=merged[i].shape[-2:], mode="nearest")
        pyramid = [block(x) for block, x in zip(self.layer_blocks, merged, strict=True)]  # (N, C, H, W) each
        return [*pyramid, F.max_pool2d(pyramid[-1], 1, stride=2)]


def start_convolutions(net: nn.Module, start: Callable[[Tensor], object]) -> None:
    """First weights by `start`; biases 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            start(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class BackboneWithFPN(nn.Module):
    """A backbone of this package and a pyramid on its maps of stride `finest` and more.

    `frozen_bn` takes the backbone's batch normalization as it is: statistics and weights stay. That is for published
    weights: with the one or two images that fit a GPU beside a detector, statistics of a batch are worse than none.
    `frozen_eps` is what is added to variances then; torchvision's published detectors want 0.
    """

    def __init__(
        self,
        body: Backbone,
        channels: int = 256,
        *,
        finest: int = SMALLEST_STRIDE,
        frozen_bn: bool = False,
        frozen_eps: float = 1e-5,
    ):
        super().__init__()
        self.levels = [i for i, level in enumerate(body.pyramid) if level.stride >= finest]
        self.channels = channels
        body.reset_classifier(0)
        self.body = freeze_batch_norm(body, frozen_eps) if frozen_bn else body
        self.fpn = FeaturePyramid([body.pyramid[i].channels for i in self.levels], channels)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.body.forward_pyramid(images)
        return self.fpn([maps[i] for i in self.levels])


def freeze_batch_norm(net: Net, eps: float = 1e-5) -> Net:
    """`net` with each batch normalization replaced by one that never changes, of the same statistics and weights."""
    for name, child in net.named_children():
        if isinstance(child, nn.BatchNorm2d):
            frozen = FrozenBatchNorm2d(child.num_features, eps)
            frozen.load_state_dict(child.state_dict())
            setattr(net, name, frozen)
        else:
            freeze_batch_norm(child, eps)
    return net


SCENE_CHANNELS = 64
"""Of the pyramid on `scene_resnet20`."""


def scene_resnet20(in_channels: int = 3, channels: int = 32) -> ResNet:
    """A backbone for images of about 100 pixels: the ResNet-20 of resnet.py, but twice as wide and with the stem for
    large images, so that strides are 4, 8 and 16."""
    return ResNet(BasicBlock, (3, 3, 3), channels, num_classes=0, in_channels=in_channels)
