"""Perceptual losses: distances in content and in style, measured in the maps of a feature net.

G: Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks" (CVPR).
J: Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution"
(arXiv:1603.08155).
H: Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization"
(arXiv:1703.06868).

    content   Σ (F − P)²                     of one map                                G eq. (1), J eq. (2), H eq. (12)
    style     Σ_l Σ_ij (G_ij − A_ij)²        of Gram matrices G = F Fᵀ                 G eq. (3)-(5), J eq. (3), (4)
              Σ_l ‖μ − μ_s‖² + ‖σ − σ_s‖²    of means and deviations of the channels   H eq. (13)

What differs: each distance is divided by the size of what it is measured from (of P, of A, of μ_s and σ_s), so that 0
is equal, about 1 is nothing in common, and weights mean the same for every feature net, layer and image size. H does
not square the norms of (13). Which maps: content in the first one of the last stage; style in the first one of each
stage, and in the pixels themselves, since the small feature net was trained to care little for color. Gram matrices
are of pixels in [-1, 1]: in [0, 1] the mean brightness drowns the colors, and bright nonsense has hardly a loss.

`coarse_loss` is ours: the feature net hardly sees color, so a painting net would be free to fill the photograph with
any large fields of it.

Shape letters: N images, C channels, h × w a map.
"""

from torch import Tensor
from torch.nn import functional as F

from torchworks.cnn_vision.models.vgg_features import PIXELS
from torchworks.shared.training.full_precision import full_precision

Maps = dict[str, Tensor]
COARSE, COARSE_WEIGHT = 8, 30.0


LAYERS = (PIXELS, "relu1_1", "relu2_1", "relu3_1", "relu4_1")
"""The maps used, fine to coarse; content is measured in the last."""


@full_precision
def gram(maps: Tensor) -> Tensor:
    """G eq. (3), the mean over the places instead of the sum: (N, C, C) of (N, C, h, w)."""
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def grams(maps: Maps) -> Maps:
    """Gram matrices by layer; of pixels in [-1, 1]."""
    return {name: gram(2 * value - 1 if name == PIXELS else value) for name, value in maps.items()}


def content_loss(maps: Tensor, wanted: Tensor) -> Tensor:
    """Of each image, (N,)."""
    return relative(maps, wanted)


def coarse_loss(images: Tensor, wanted: Tensor) -> Tensor:
    """Distance of the means over 8 × 8 pixels, weighted, (N,). Strokes smaller than that are free."""
    return COARSE_WEIGHT * relative(F.avg_pool2d(images, COARSE), F.avg_pool2d(wanted, COARSE))


def gram_loss(maps: Maps, wanted: Maps) -> Tensor:
    """The mean over layers, (N,). `wanted` are Gram matrices, (N, C, C) or (1, C, C), by layer."""
    ours = grams(maps)
    return sum((relative(ours[name], target) for name, target in wanted.items()), start=_none(maps)) / len(wanted)


def statistics_loss(maps: Maps, style: Maps) -> Tensor:
    """H eq. (13), the mean over layers, (N,)."""
    total = _none(maps)
    for name, wanted in style.items():
        ours, theirs = statistics(maps[name]), statistics(wanted)
        total = total + sum(relative(a, b) for a, b in zip(ours, theirs, strict=True)) / 2
    return total / len(style)


@full_precision
def statistics(maps: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over the places, (N, C, 1, 1) each: H eq. (5), (6)."""
    mean = maps.mean((2, 3), keepdim=True)
    return mean, ((maps - mean).square().mean((2, 3), keepdim=True) + eps).sqrt()


def recolored(images: Tensor, style: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [0, 1] with the mean and the spread of each color of the style, as Reinhard et al. 2001,
    "Color Transfer between Images", do in a color space of their own."""
    return with_statistics(images, *statistics(style)).clamp(0, 1)


def with_statistics(maps: Tensor, new_mean: Tensor, new_spread: Tensor) -> Tensor:
    """Maps (N, C, h, w) with this mean and this standard deviation of each channel, H eq. (8)."""
    mean, spread = statistics(maps)
    return new_spread * (maps - mean) / spread + new_mean


def total_variation(images: Tensor) -> Tensor:
    """Mean square of the differences between neighbouring pixels of each image (N, C, H, W), (N,)."""
    down, across = images.diff(dim=2).square(), images.diff(dim=3).square()
    return down.flatten(1).mean(1) + across.flatten(1).mean(1)


@full_precision
def relative(a: Tensor, b: Tensor) -> Tensor:
    """‖a − b‖² / ‖b‖² of each row, (N,)."""
    return (a - b).square().flatten(1).sum(1) / b.square().flatten(1).sum(1).clamp(min=1e-8)


def _none(maps: Maps) -> Tensor:
    first = next(iter(maps.values()))
    return first.new_zeros(len(first))
