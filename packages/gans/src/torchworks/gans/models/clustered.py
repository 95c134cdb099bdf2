"""A GAN of images without labels, told apart by clusters that stand for classes.

Sage, Agustsson, Timofte & Van Gool 2018, "Logo Synthesis and Manipulation with Clustered Generative Adversarial
Networks" (CVPR, arXiv:1712.04407), section 3.2.

The idea: a GAN that is told the classes of its images learns far better than one that is not. Where nobody knows
classes, k-means divides the images into K clusters before the training, and a conditional GAN (cgan.py) learns the
clusters in their place. Whoever draws images need not know of them:

    u = Φ(z_last)                             in [0, 1], evenly distributed
    cluster = the first whose cumulative share of the training images exceeds u
    image = G(z_rest, cluster)

What differs: clusters are of the pixels, averaged to at most 16 × 16, and not of an autoencoder's or a classifier's
features; the cluster is read off the latent vector, so that the generator is a function of that alone.

Shapes: N batch, C channels, S image size, K clusters.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.models.cgan import CGANDiscriminator, CGANGenerator

_LARGEST = 16


class Clusters(nn.Module):
    """Images (N, C, S, S) in [-1, 1] to the numbers (N,) of the nearest of K centers. `fit` finds these."""

    centers: Tensor
    shares: Tensor

    def __init__(self, clusters: int, channels: int, image_size: int):
        super().__init__()
        self.side = min(image_size // 2, _LARGEST)
        self.register_buffer("centers", torch.zeros(clusters, channels * self.side**2))
        self.register_buffer("shares", torch.full((clusters,), 1 / clusters))

    def features(self, images: Tensor) -> Tensor:
        """Pixels of reduced images, (N, C · side²)."""
        return F.adaptive_avg_pool2d(images.float(), self.side).flatten(1)

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
    """Latent vectors (N, latent_dim) to images (N, out_channels, S, S) in [-1, 1]; the last latent number chooses the
    cluster. `latent` is how these numbers are distributed: "normal", or "uniform" in [-1, 1]. Other sizes as in
    `CGANGenerator`."""

    shares: Tensor

    def __init__(
        self,
        clusters: int,
        image_size: int = 32,
        out_channels: int = 3,
        *,
        latent_dim: int = 100,
        latent: str = "normal",
        **sizes,
    ):
        super().__init__()
        self.latent_dim, self.latent = latent_dim, latent
        self.net = CGANGenerator(clusters, image_size, out_channels, latent_dim=latent_dim - 1, **sizes)
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
    """Images (N, in_channels, S, S) in [-1, 1] and their clusters (N,) to logits (N,). `clusters` finds those of real
    images. Sizes as in `CGANDiscriminator`."""

    def __init__(self, clusters: int, image_size: int = 32, in_channels: int = 3, **sizes):
        super().__init__()
        self.clusters = Clusters(clusters, in_channels, image_size)
        self.net = CGANDiscriminator(clusters, image_size, in_channels, **sizes)

    def forward(self, x: Tensor, clusters: Tensor) -> Tensor:
        return self.net(x, clusters)
