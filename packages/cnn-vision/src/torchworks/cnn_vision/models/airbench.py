"""The net of airbench: small images learned in seconds.

Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (arXiv:2404.00498).

The idea: spend nothing on what can be known beforehand. Neighbouring pixels are nearly alike, so raw images are a few
large directions and many tiny ones, which gradient descent learns late. The first layer therefore is *computed*: its
kernels are the eigenvectors e_i of the covariance of the training images' 2 × 2 patches, each scaled to give a variance
of one, and each taken twice with both signs because GELU cuts one half of the line off:

    w_i = ± e_i / √(λ_i + ε)         b_i = -w_i · mean patch         Cov(w x + b) ≈ 1 for one of the signs

The kernels stay as they are; their biases may be trained for a while. The rest is as short as it can be:

    image → whitening 2×2 → GELU → block → block → block → max over the map → classes / 9
    block:  conv 3×3 → max-pool /2 → norm → GELU → conv 3×3 → norm → GELU

A convolution starts as the identity for as many outputs as it has inputs ("Dirac"), the other outputs as usual, so that
information reaches the classes from the first step. Norms have a bias but no gain, and forget their statistics quickly
(0.4 of each batch is new), since a training lasts a few hundred steps. The last layer has no bias, and logits are
divided by 9, which with a large learning rate makes them learn fast and start near 0.

What differs from the paper: patches are centered by the bias (the paper standardizes the images instead); ε of the
whitening fits images in [-1, 1]; the norms' ε is PyTorch's 1e-5 for 1e-12, so that a channel without any variation is
not blown up; the last max-pool takes the whole map, the same at 32 pixels. Learning rates, schedule and label
smoothing are the recipe's (`speedrun/recipes.py`), and there is no Lookahead.

| builder | widths | parameters (M), 10 classes | GFLOPs, 32² |
|---|---|---|---|
| `airbench94` | 64, 256, 256 | 1.97 | 0.118 |

GFLOPs are multiply-adds. The paper's 94.01 % after 9.9 epochs is with its own training, not measured here.

Shape letters: N images, C channels, H height, W width, K classes, P patches.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.cnn_vision.models.backbone import Backbone, Level

PATCH = 2
EPS = 1e-4
"""What is added to the variance of a direction: 0.1 % of that of typical images in [-1, 1]."""

SMALLEST = 9
"""Pixels along a side: fewer leave nothing after three poolings."""


class AirNet(Backbone):
    """Three blocks of `widths` channels on whitened patches, for images of `SMALLEST` pixels or more.

    The first layer's kernels are not trained: call `whiten` with training images before the training. Without it they
    are random. `train_whitening` says whether its biases get gradients. It is for small images, whatever
    `small_images` says.
    """

    train_whitening = True

    def __init__(
        self,
        *,
        widths: tuple[int, int, int] = (64, 256, 256),
        num_classes: int = 1000,
        in_channels: int = 3,
        small_images: bool = True,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.pyramid = tuple(Level(width, PATCH**i) for i, width in enumerate(widths, start=1))
        self.num_features = widths[-1]
        whitened = 2 * in_channels * PATCH**2  # both signs
        self.whitening = nn.Conv2d(in_channels, whitened, PATCH)
        self.whitening.weight.requires_grad_(False)
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in pairwise((whitened, *widths))))
        self.reset_classifier(num_classes)

    @torch.no_grad()
    def whiten(self, images: Tensor) -> None:
        """Set the first layer by `images` (N, C, H, W), normalized as the net will get them; a thousand are plenty."""
        patches = images.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # (N, C, H-1, W-1, 2, 2)
        patches = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, self.in_channels * PATCH**2).double()  # (P, 4·C)
        variances, directions = torch.linalg.eigh(patches.T.cov())
        kernels = (directions / (variances + EPS).sqrt()).T  # (4·C, 4·C), a kernel in each row
        kernels = torch.cat([kernels, -kernels])
        self.whitening.weight.copy_(kernels.view_as(self.whitening.weight))
        assert self.whitening.bias is not None
        self.whitening.bias.copy_(-kernels @ patches.mean(0))

    def forward_features(self, x: Tensor) -> Tensor:
        return self.blocks(self._whitened(x))  # (N, widths[2], H/8, W/8)

    def forward_head(self, features: Tensor) -> Tensor:
        pooled = features.amax((2, 3))  # (N, widths[2])
        return self.head(pooled) / 9 if self.num_classes else pooled

    def forward_pyramid(self, x: Tensor) -> list[Tensor]:
        maps = [self._whitened(x)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps[1:]

    def reset_classifier(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.head: nn.Module = nn.Linear(self.num_features, num_classes, bias=False) if num_classes else nn.Identity()
        self.head.to(self.whitening.weight)  # its device and precision

    def _whitened(self, x: Tensor) -> Tensor:
        bias = self.whitening.bias
        assert bias is not None
        return F.gelu(F.conv2d(x, self.whitening.weight, bias if self.train_whitening else bias.detach()))


class Block(nn.Module):
    """(N, C, H, W) to (N, out_channels, H/2, W/2), rounded down."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = identity_conv(in_channels, out_channels)
        self.norm1 = norm(out_channels)
        self.conv2 = identity_conv(out_channels, out_channels)
        self.norm2 = norm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.gelu(self.norm1(x))
        return F.gelu(self.norm2(self.conv2(x)))


def identity_conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3 × 3 convolution whose first outputs start as copies of the inputs."""
    conv = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    with torch.no_grad():
        nn.init.dirac_(conv.weight[:in_channels])
    return conv


def norm(channels: int) -> nn.BatchNorm2d:
    """Batch normalization with a bias, but no gain."""
    layer = nn.BatchNorm2d(channels, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer


# ------------------------------------------------------------------------------------------------ builders


def airbench94(**options: Any) -> AirNet:
    """The net of the record at 94 %, if its widths are left as they are."""
    return AirNet(**options)
