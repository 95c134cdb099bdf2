"""How like an image is to the one that it should be, pixel by pixel.

PSNR is -10 log₁₀ of the mean squared error over the squared span of values. SSIM is that of Wang, Bovik, Sheikh &
Simoncelli 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", eq. (13), with the paper's
Gaussian window of 11 × 11 and σ = 1.5, over the places at which the whole window lies in the image.

Shapes: N images, C channels, H × W pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
_LEAST = 1e-10
"""Of the error over the squared span: an image that is the truth itself has 100 dB."""


def peak_ratio(images: Tensor, truth: Tensor, span: float) -> Tensor:
    """The peak signal-to-noise ratio of each of `images` (N, C, H, W) in dB, (N,); `span` is that of possible values,
    such as 2 for [-1, 1]."""
    errors = (images - truth).square().flatten(1).mean(1)
    return -10 * torch.log10((errors / span**2).clamp(min=_LEAST))


def structural_similarity(images: Tensor, truth: Tensor, span: float) -> Tensor:
    """SSIM of each of `images` (N, C, H, W), of 11 × 11 pixels at least, (N,); 1 is the truth itself."""
    window = _gaussian().to(images)
    a, b = images.flatten(0, 1)[:, None], truth.flatten(0, 1)[:, None]
    means = F.conv2d(F.conv2d(torch.cat([a, b, a * a, b * b, a * b], 1).flatten(0, 1)[:, None], window), window.mT)
    mean_a, mean_b, aa, bb, ab = means.view(len(a), 5, *means.shape[2:]).unbind(1)
    spread_a, spread_b, both = aa - mean_a**2, bb - mean_b**2, ab - mean_a * mean_b
    c1, c2 = (_K1 * span) ** 2, (_K2 * span) ** 2
    map_ = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2))
    return map_.flatten(1).mean(1).view(images.shape[:2]).mean(1)


def _gaussian() -> Tensor:
    """The window's factor along one axis, (1, 1, 1, 11), whose sum is 1."""
    at = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(at**2) / (2 * SIGMA**2))
    return (weights / weights.sum())[None, None, None]
