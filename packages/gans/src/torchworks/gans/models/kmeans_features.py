"""Features of images without any labels: convolutions whose filters are the centres of k-means over patches.

Coates & Ng 2012, "Learning Feature Representations with K-means" (Neural Networks: Tricks of the Trade): patches are
whitened (ZCA), and spherical k-means alternates

    s_i = argmax_k d_kᵀ x_i        d_k ← Σ_{s_i = k} x_i + d_k,  divided by its norm

Krähenbühl, Doersch, Donahue & Darrell 2016, "Data-dependent Initializations of Convolutional Neural Networks"
(arXiv:1511.06856) stack such layers and scale each filter so that its answers have mean 0 and variance 1 on the data.

In these features distances between images agree with people's better than those between pixels do, though less well
than in features of nets trained on ImageNet (Zhang et al. 2018, LPIPS, arXiv:1801.03924, section 4.1).

Shape letters: N images, C channels, H × W pixels, P patches, D numbers of a patch, K filters.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCHES, ROUNDS = 4000, 8
_RIDGE = 0.05
"""Added to the whitened variances, as a share of their mean, so that noise is not amplified."""


class KMeansFeatures(nn.Module):
    """Images (N, 3, H, W) in [0, 1], of 2^(layers - 1) pixels at least, to a map of each layer before its ReLU: (N, K,
    H, W), (N, K', H / 2, W / 2), … Frozen; filters are put into it by `fit`."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128)):
        super().__init__()
        channels = (3, *widths[:-1])
        self.convs = nn.ModuleList(nn.Conv2d(c, k, 3, padding=1) for c, k in zip(channels, widths, strict=True))
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = []
        x = 2 * images - 1
        for conv in self.convs:
            x = F.avg_pool2d(F.relu(x), 2) if maps else x
            x = conv(x)
            maps.append(x)
        return maps

    @torch.no_grad()
    def fit(self, images: Tensor, seed: int) -> "KMeansFeatures":
        """Learn the filters from images (N, 3, H, W) in [0, 1], layer by layer."""
        generator = torch.Generator().manual_seed(seed)
        x = 2 * images - 1
        for number, conv in enumerate(self.convs):
            assert isinstance(conv, nn.Conv2d)
            x = F.avg_pool2d(F.relu(x), 2) if number else x
            patches = _patches(x, PATCHES, generator)
            weight, bias = _filters(patches, conv.out_channels, generator)
            conv.weight.copy_(weight.view_as(conv.weight))
            assert conv.bias is not None
            conv.bias.copy_(bias)
            x = conv(x)
        return self


def _patches(maps: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Patches of 3 × 3 at random places of maps (N, C, H, W): (P, 9 · C)."""
    n, _, height, width = maps.shape
    at = [torch.randint(high, (count,), generator=generator) for high in (n, height - 2, width - 2)]
    index, top, left = (value[:, None, None] for value in at)
    near = torch.arange(3)
    cut = maps[index, :, top + near[None, :, None], left + near[None, None, :]]  # (P, 3, 3, C)
    return cut.permute(0, 3, 1, 2).flatten(1)


def _filters(patches: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Filters (K, D) and biases (K,) with answers of mean 0 and variance 1 on the patches (P, D)."""
    mean = patches.mean(0)
    centred = (patches - mean).double()
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
    whitening = vectors @ ((values.clamp(min=0) + _RIDGE * values.mean()) ** -0.5)[:, None].mul(vectors.T)
    centres = _spherical_kmeans(centred @ whitening, count, generator).double()
    filters = centres @ whitening
    filters = filters / (centred @ filters.T).std(0, correction=0).clamp(min=1e-8)[:, None]
    return filters.float(), -(filters.float() @ mean)


def _spherical_kmeans(x: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Centres (K, D) of length 1."""
    x = F.normalize(x, dim=1).float()
    centres = x[torch.randperm(len(x), generator=generator)[:count]]
    for _ in range(ROUNDS):
        nearest = (x @ centres.T).argmax(1)
        centres = F.normalize(torch.zeros_like(centres).index_add_(0, nearest, x) + centres, dim=1)
    return centres
