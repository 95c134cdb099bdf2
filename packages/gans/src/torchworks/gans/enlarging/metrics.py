"""Scores of enlarged images beside the photographs that they should be.

As papers of super-resolution do, PSNR and SSIM are of the luma (BT.601, from 16 to 235 of 255) of images rounded to 8
bits, without a border as wide as the factor. The perceptual distance is that of Zhang et al. 2018, "The Unreasonable
Effectiveness of Deep Features as a Perceptual Metric" (arXiv:1801.03924), eq. (1) with weights of 1,

    d = mean over layers l of  mean over places of ‖u_l − v_l‖²,    u, v features of length 1 at each place

in features that are no part of any loss (`score_features` in features.py). It compares only within one source of data.

Shape letters: N images, H × W pixels.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.gans.enlarging.degradation import levels
from torchworks.shared.fidelity.likeness import peak_ratio, structural_similarity

SCORES = ("psnr", "ssim", "perceptual")
_LUMA, _OFFSET = (65.481 / 255, 128.553 / 255, 24.966 / 255), 16 / 255


def luma(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [0, 1] → Y of BT.601, (N, 1, H, W) from 16/255 to 235/255."""
    weights = images.new_tensor(_LUMA).view(3, 1, 1)
    return (images * weights).sum(1, keepdim=True) + _OFFSET


def shaved(images: Tensor, border: int) -> Tensor:
    """Images (N, C, H, W) without `border` pixels at each side."""
    return images[..., border:-border, border:-border]


@torch.no_grad()
def scores_of(images: Tensor, truth: Tensor, factor: int, features: nn.Module) -> dict[str, tuple[Tensor, int]]:
    """Of `images` (N, 3, H, W) in [0, 1], each score's sum and number of images."""
    images, n = levels(images.float()), len(images)
    ours, theirs = (shaved(luma(one), factor) for one in (images, truth))
    values: dict[str, Any] = {
        "psnr": peak_ratio(ours, theirs, 1.0),
        "ssim": structural_similarity(ours, theirs, 1.0),
        "perceptual": feature_distance(features(images), features(truth)),
    }
    return {name: (value.sum(), n) for name, value in values.items()}


def feature_distance(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """LPIPS's distance of each image, (N,), between maps of several layers."""
    distances = [
        (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2))
        for a, b in zip(ours, theirs, strict=True)
    ]
    return torch.stack(distances).mean(0)
