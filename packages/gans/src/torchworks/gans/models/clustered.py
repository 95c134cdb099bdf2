"""A GAN of images without labels, told apart by clusters that stand for classes.

Sage, Agustsson, Timofte & Van Gool 2018, "Logo Synthesis and Manipulation with Clustered Generative Adversarial
Networks" (CVPR, arXiv:1712.04407), section 3.2.

The idea: a GAN that is told the classes of its images learns far better than one that is not. Where nobody knows
classes, k-means divides the images into K clusters before the training, and a conditional GAN (cgan.py, r3gan.py)
learns the clusters in their place. Whoever draws images need not know of them:

    u = Φ(z_last)                             in [0, 1], evenly distributed
    cluster = the first whose cumulative share of the training images exceeds u
    image = G(z_rest, cluster)

What differs: clusters are of histograms of the directions of edges (Dalal & Triggs 2005, "Histograms of Oriented
Gradients for Human Detection", without their blocks), not of an autoencoder's or a classifier's features;
the cluster is read off the latent vector, so that the generator is a function of that alone.

Shapes: N batch, C channels, S image size, K clusters.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LARGEST = 32
_CELLS, _DIRECTIONS = 4, 8


class Clusters(nn.Module):
    """Images (N, C, S, S) in [-1, 1] to the numbers (N,) of the nearest of K centers. `fit` finds these."""

    centers: Tensor
    shares: Tensor

    def __init__(self, clusters: int):
        super().__init__()
        self.register_buffer("centers", torch.zeros(clusters, _DIRECTIONS * _CELLS**2))
        self.register_buffer("shares", torch.full((clusters,), 1 / clusters))

    def features(self, images: Tensor) -> Tensor:
        """How much edge of each direction is in each of 4 × 4 cells, (N, 128), of images made grey and at most 32
        pixels wide. Roots of shares, so that distances are those of Hellinger and contrast does not count."""
        grey = images.float().mean(dim=1, keepdim=True)
        if grey.shape[-1] > _LARGEST:
            grey = F.adaptive_avg_pool2d(grey, _LARGEST)
        around = F.pad(grey, (1, 1, 1, 1), mode="replicate")
        across = around[:, :, 1:-1, 2:] - around[:, :, 1:-1, :-2]
        down = around[:, :, 2:, 1:-1] - around[:, :, :-2, 1:-1]
        place = torch.atan2(down, across) / (2 * math.pi) * _DIRECTIONS  # on a circle of _DIRECTIONS
        away = (place - torch.arange(_DIRECTIONS, device=place.device)[:, None, None]) % _DIRECTIONS
        near = (1 - torch.minimum(away, _DIRECTIONS - away)).clamp(min=0)  # shared between the two nearest
        histograms = F.adaptive_avg_pool2d(torch.hypot(across, down) * near, _CELLS).flatten(1)
        return (histograms / histograms.sum(dim=1, keepdim=True).clamp(min=1e-9)).sqrt()

    def fit(self, features: Tensor, seed: int) -> None:
        """K-means (Lloyd 1982; starts of Arthur & Vassilvitskii 2007, the best of three) of the `features` (N, F) of
        N ≥ K images."""
        from sklearn.cluster import KMeans  # slow to import, and drawing images needs none

        found = KMeans(len(self.centers), n_init=3, random_state=seed).fit(features.numpy())
        self.centers.copy_(torch.from_numpy(found.cluster_centers_))
        counts = torch.bincount(torch.from_numpy(found.labels_).long(), minlength=len(self.centers))
        self.shares.copy_(counts / counts.sum())

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return torch.cdist(self.features(images), self.centers).argmin(dim=1)


class ClusteredGenerator(nn.Module):
    """Latent vectors (N, latent_dim) to images (N, C, S, S) in [-1, 1]. The last number chooses the cluster, and `net`
    draws an image of it by the others. `latent` is how they are distributed: "normal", or "uniform" in [-1, 1]."""

    shares: Tensor

    def __init__(self, net: nn.Module, clusters: int, *, latent: str = "normal"):
        super().__init__()
        self.net, self.latent = net, latent
        self.register_buffer("shares", torch.full((clusters,), 1 / clusters))

    def cluster_of(self, z: Tensor) -> Tensor:
        """The numbers (N,) of the clusters that latent vectors (N, latent_dim) choose."""
        last = z[:, -1].float()
        u = (last + 1) / 2 if self.latent == "uniform" else (1 + torch.erf(last / math.sqrt(2))) / 2
        ends = self.shares.cumsum(0)[:-1]
        return (u[:, None] > ends).sum(dim=1)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z[:, :-1], self.cluster_of(z))


class ClusteredDiscriminator(nn.Module):
    """Images (N, C, S, S) in [-1, 1] and their clusters (N,) to logits (N,), which `net` gives. `clusters` finds those
    of real images."""

    def __init__(self, net: nn.Module, clusters: int):
        super().__init__()
        self.net, self.clusters = net, Clusters(clusters)

    def forward(self, x: Tensor, clusters: Tensor) -> Tensor:
        return self.net(x, clusters)
