"""Scores of enlarged images beside the photographs that they should be.

As papers of super-resolution do, PSNR and SSIM are of the luma (BT.601, from 16 to 235 of 255) of images rounded to 8
bits, without a border as wide as the factor. The perceptual distance is that of Zhang et al. 2018, "The Unreasonable
Effectiveness of Deep Features as a Perceptual Metric" (arXiv:1801.03924), eq. (1) with weights of 1,

    d = mean over layers l of  mean over places of ‖u_l − v_l‖²,    u, v features of length 1 at each place

in features that are no part of any loss (`score_features` in features.py). It compares only within one source of data.

All three compare place by place, so that a net does best by blurring what it cannot know. No estimate can be best in
them and look real too (Blau & Michaeli 2018, "The Perception-Distortion Tradeoff", arXiv:1711.06077, theorem 1), so
two more compare how often things occur, wherever that is:

    texture   the Fréchet distance between the features at all places of an image and of its photograph, mean over
              layers: the single image FID of Shaham et al. 2019, "SinGAN" (arXiv:1905.01164, section 4), in the
              features above
    detail    the energy of the luma's finest Haar wavelets, as a share of the photographs'; 1 is as much as they have

Shape letters: N images, H × W pixels, K features, P places.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.gans.enlarging.degradation import levels
from torchworks.shared.fidelity.distances import frechet, moments
from torchworks.shared.fidelity.likeness import peak_ratio, structural_similarity

_LUMA, _OFFSET = (65.481 / 255, 128.553 / 255, 24.966 / 255), 16 / 255


def luma(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [0, 1] → Y of BT.601, (N, 1, H, W) from 16/255 to 235/255."""
    weights = images.new_tensor(_LUMA).view(3, 1, 1)
    return (images * weights).sum(1, keepdim=True) + _OFFSET


def shaved(images: Tensor, border: int) -> Tensor:
    """Images (N, C, H, W) without `border` pixels at each side."""
    return images[..., border:-border, border:-border]


@torch.no_grad()
def scores_of(
    images: Tensor, truth: Tensor, factor: int, features: nn.Module
) -> dict[str, tuple[Tensor, int | Tensor]]:
    """Of `images` (N, 3, H, W) in [0, 1], each score's sum, and the number of images or, for `detail`, the sum of what
    it is a share of."""
    images, n = levels(images.float()), len(images)
    ours, theirs = (shaved(luma(one), factor) for one in (images, truth))
    our_maps, their_maps = features(images), features(truth)
    values: dict[str, Tensor] = {
        "psnr": peak_ratio(ours, theirs, 1.0),
        "ssim": structural_similarity(ours, theirs, 1.0),
        "perceptual": feature_distance(our_maps, their_maps),
        "texture": texture_distance(our_maps, their_maps),
    }
    return {name: (value.sum(), n) for name, value in values.items()} | {"detail": (_energy(ours), _energy(theirs))}


def feature_distance(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """LPIPS's distance of each image, (N,), between maps of several layers."""
    distances = [
        (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean((1, 2))
        for a, b in zip(ours, theirs, strict=True)
    ]
    return torch.stack(distances).mean(0)


def texture_distance(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """The Fréchet distance of each image, (N,), between the places of maps (N, K, H, W), mean over several layers."""
    distances = []
    for a, b in zip(ours, theirs, strict=True):
        pairs = zip(a.flatten(2).mT, b.flatten(2).mT, strict=True)  # (P, K) each
        distances.append([frechet(*moments(one), *moments(other)) for one, other in pairs])
    return torch.tensor(distances, device=ours[0].device).mean(0)


def _energy(images: Tensor) -> Tensor:
    """Of what 2 × 2 pixels differ from their mean, which is that of the finest Haar wavelets."""
    even = images[..., : images.shape[2] // 2 * 2, : images.shape[3] // 2 * 2]
    return even.square().sum() - 4 * F.avg_pool2d(even, 2).square().sum()
