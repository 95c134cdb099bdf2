"""ConvNeXt: a ResNet rebuilt with what transformers taught, still made of convolutions alone.

Liu et al. 2022, "A ConvNet for the 2020s" (arXiv:2201.03545).

The idea: take a ResNet-50 and change one thing after the other towards a Swin transformer, keeping what helps. What
is left is this block, in which mixing over space and mixing over channels are two separate jobs, as attention and
MLP are in a transformer:

    x + drop_path(γ ⊙ W_2 · GELU(W_1 · LN(depthwise 7 × 7 (x))))           (figure 4)

- the depthwise convolution sees 7 × 7 places of one channel at a time (attention's job, with a fixed window);
- W_1 widens to four times the channels, W_2 narrows again (the MLP's job, at each place by itself);
- one normalization and one non-linearity a block, where a ResNet has three of each;
- LayerNorm over the channels of each place instead of BatchNorm: nothing depends on the batch;
- γ, one factor per channel, starts at 1e-6, so that a deep net begins as the identity (LayerScale, Touvron et al. 2021,
  2103.17239).

The net: a stem that cuts the image into 4 × 4 patches, and four stages of blocks with a 2 × 2 convolution of stride 2
before the last three (LayerNorm first, which keeps training stable where the resolution changes).

What differs: nothing in the arithmetic. 1 × 1 convolutions are linear layers on maps with channels last, as in the
authors' code (which notes that this is slightly faster in PyTorch) and in torchvision's. Stochastic depth of 0.1 is the
paper's for this size. `drop_rate` (dropout before the classifier, 0 in the paper) is offered besides.

| builder | parameters (M) | GFLOPs at 224 | ImageNet top-1 (%) |
|---|---|---|---|
| `convnext_tiny` | 28.6 | 4.5 | 82.52 |

(torchvision's weights IMAGENET1K_V1.)

Shapes: N images, C channels, H height, W width, K classes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.cnn_vision.models.backbone import Backbone, Level
from torchworks.cnn_vision.models.stochastic_depth import StochasticDepth


@dataclass(frozen=True)
class ConvNeXtSize:
    """Channels and number of blocks of each stage."""

    channels: tuple[int, ...]
    depths: tuple[int, ...]


TINY = ConvNeXtSize(channels=(96, 192, 384, 768), depths=(3, 3, 9, 3))


class ConvNeXt(Backbone):
    """Images (N, in_channels, H, W) to logits (N, num_classes).

    `small_images` takes a 3 × 3 convolution of stride 1 as the stem in place of the 4 × 4 patches, so that maps have
    strides 1, 2, 4 and 8 and an image of 8 × 8 pixels is enough. `stochastic_depth` is the chance that the last block
    is skipped for an image in training; it grows linearly from 0 at the first block (Huang et al. 2016, 1603.09382).
    """

    def __init__(
        self,
        size: ConvNeXtSize = TINY,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        small_images: bool = False,
        drop_rate: float = 0.0,
        stochastic_depth: float = 0.1,
        layer_scale: float = 1e-6,
    ):
        super().__init__()
        self.in_channels, self.num_classes, self.num_features = in_channels, num_classes, size.channels[-1]
        stem_stride = 1 if small_images else 4
        self.pyramid = tuple(Level(c, stem_stride * 2**stage) for stage, c in enumerate(size.channels))

        # features: stem, stage, downsampling, stage, downsampling, stage, downsampling, stage
        self.features = nn.Sequential(stem(in_channels, size.channels[0], small_images))
        drop_paths = iter(torch.linspace(0, stochastic_depth, sum(size.depths), device="cpu").tolist())
        for stage, (channels, depth) in enumerate(zip(size.channels, size.depths, strict=True)):
            if stage:
                self.features.append(downsampling(size.channels[stage - 1], channels))
            blocks = [Block(channels, layer_scale, next(drop_paths)) for _ in range(depth)]
            self.features.append(nn.Sequential(*blocks))
        flatten = nn.Sequential(nn.Flatten(), nn.Dropout(drop_rate))
        self.classifier = nn.Sequential(LayerNorm2d(self.num_features), flatten, nn.Identity())
        self.features.apply(initialize)
        self.reset_classifier(num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """The last map, not yet normalized: (N, 768, H / 32, W / 32)."""
        return self.features(x)

    def forward_head(self, features: Tensor) -> Tensor:
        return self.classifier(features.mean((2, 3), keepdim=True))  # (N, C, 1, 1) → (N, K)

    def forward_pyramid(self, x: Tensor) -> list[Tensor]:
        maps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index % 2:  # a stage; the even ones change the resolution
                maps.append(x)
        return maps

    def reset_classifier(self, num_classes: int) -> None:
        """A new linear layer; with 0 the features are pooled and normalized."""
        self.num_classes = num_classes
        self.classifier[2] = nn.Identity()
        if num_classes:
            like = self.classifier[0].weight
            self.classifier[2] = nn.Linear(self.num_features, num_classes, device=like.device, dtype=like.dtype)
            initialize(self.classifier[2])


class Block(nn.Module):
    """Figure 4: (N, C, H, W) → (N, C, H, W)."""

    def __init__(self, channels: int, layer_scale: float, drop_path: float):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            ChannelsLast(),  # (N, H, W, C)
            nn.LayerNorm(channels, eps=1e-6),
            nn.Linear(channels, 4 * channels),  # (N, H, W, 4·C)
            nn.GELU(),
            nn.Linear(4 * channels, channels),
            ChannelsFirst(),  # (N, C, H, W)
        )
        self.layer_scale = nn.Parameter(torch.full((channels, 1, 1), layer_scale))
        self.stochastic_depth = StochasticDepth(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.stochastic_depth(self.layer_scale * self.block(x))


class ChannelsLast(nn.Module):
    """(N, C, H, W) → (N, H, W, C), without copying."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class ChannelsFirst(nn.Module):
    """(N, H, W, C) → (N, C, H, W), without copying."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2)


class LayerNorm2d(nn.LayerNorm):
    """Normalises the channels of each place of a map (N, C, H, W) by themselves."""

    def __init__(self, channels: int):
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        x = input.permute(0, 2, 3, 1)  # (N, H, W, C)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


def stem(in_channels: int, channels: int, small_images: bool) -> nn.Sequential:
    """4 × 4 patches, or every pixel with its neighbours; then a normalization."""
    if small_images:
        conv = nn.Conv2d(in_channels, channels, 3, padding=1)
    else:
        conv = nn.Conv2d(in_channels, channels, 4, stride=4)
    return nn.Sequential(conv, LayerNorm2d(channels))


def downsampling(in_channels: int, channels: int) -> nn.Sequential:
    """Halves height and width."""
    return nn.Sequential(LayerNorm2d(in_channels), nn.Conv2d(in_channels, channels, 2, stride=2))


def initialize(module: nn.Module) -> None:
    """The paper's start: weights N(0, 0.02²) cut off at ±2, biases 0."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def convnext_tiny(**options) -> ConvNeXt:
    """ConvNeXt-T: 96 to 768 channels, 3, 3, 9 and 3 blocks; see `ConvNeXt` for the options."""
    return ConvNeXt(TINY, **options)
