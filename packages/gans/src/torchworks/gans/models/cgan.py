"""Conditional GAN: images of a requested class.

Two ways to tell the nets which class y is wanted:

- `condition="projection"` (default). The generator's batch normalizations take their gain and bias from a table
  with a row per class (conditional batch normalization: Dumoulin et al. 2017, de Vries et al. 2017). The
  discriminator adds an inner product between the image's features φ(x) and the class's embedding (Miyato &
  Koyama 2018, "cGANs with Projection Discriminator", arXiv:1802.05637, eq. 4):

      D(x, y) = vᵀφ(x) + b + e(y)ᵀφ(x)

- `condition="concatenation"` (Mirza & Osindero 2014, arXiv:1411.1784). The one-hot class is appended to the
  latent vector, and to the image as constant planes.

What differs: the nets are DCGAN's stages (dcgan.py) rather than Miyato's residual blocks or Mirza's dense layers;
φ is the sum over the last 4 × 4 features, with spectral normalization throughout, the embedding included.

Shapes: N batch, C channels, S image size, K classes.
"""

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.models.config import resolutions_of
from torchworks.gans.models.dcgan import Norm, channel_plan, discriminator_trunk, initialize, up
from torchworks.gans.models.spectral import SpectralEmbedding, SpectralLinear

Condition = Literal["projection", "concatenation"]


class ConditionalBatchNorm2d(nn.Module):
    """Batch normalization whose gain and bias belong to the class: (N, C, H, W), labels (N,) → (N, C, H, W)."""

    def __init__(self, num_features: int, num_classes: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(num_features, affine=False)
        self.gain = nn.Embedding(num_classes, num_features)
        self.bias = nn.Embedding(num_classes, num_features)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        gain, bias = self.gain(labels)[..., None, None], self.bias(labels)[..., None, None]
        return torch.addcmul(bias.to(x.dtype), self.norm(x), gain.to(x.dtype))


class _Stage(nn.Module):
    """Doubles the image to `size` pixels; its normalization knows the class unless the latent vector has it."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, size: int, num_classes: int):
        super().__init__()
        self.conv = up(in_channels, out_channels, kernel_size, size, bias=False)
        self.norm = ConditionalBatchNorm2d(out_channels, num_classes)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.norm(self.conv(x), labels).relu()


class CGANGenerator(nn.Module):
    """Latent vectors (N, latent_dim) and labels (N,) in [0, num_classes) to images (N, out_channels, S, S) in
    [-1, 1]. Sizes as in `DCGANGenerator`."""

    def __init__(
        self,
        num_classes: int,
        image_size: int = 64,
        out_channels: int = 3,
        *,
        condition: Condition = "projection",
        latent_dim: int = 100,
        width: int = 128,
        max_channels: int = 1024,
        kernel_size: int = 4,
    ):
        super().__init__()
        self.latent_dim, self.num_classes, self.condition = latent_dim, num_classes, condition
        channels = channel_plan(image_size, width, max_channels)[::-1]
        appended, rows = (num_classes, 1) if condition == "concatenation" else (0, num_classes)
        self.project = nn.Linear(latent_dim + appended, channels[0] * 16, bias=False)
        self.norm = ConditionalBatchNorm2d(channels[0], rows)
        sizes = resolutions_of(image_size)[-2::-1]  # of what each stage makes
        self.stages = nn.ModuleList(
            _Stage(c_in, c_out, kernel_size, size, rows)
            for (c_in, c_out), size in zip(pairwise(channels), sizes, strict=False)
        )
        self.to_image = up(channels[-1], out_channels, kernel_size, image_size)
        initialize(self)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        if self.condition == "concatenation":
            z = torch.cat([z, F.one_hot(labels, self.num_classes).to(z.dtype)], dim=1)
            labels = torch.zeros_like(labels)  # one row of gains serves all classes
        x = self.project(z).unflatten(1, (-1, 4, 4))  # (N, C, 4, 4)
        x = self.norm(x, labels).relu()
        for stage in self.stages:
            x = stage(x, labels)
        return self.to_image(x).tanh()


class CGANDiscriminator(nn.Module):
    """Images (N, in_channels, S, S) in [-1, 1] and labels (N,) to logits (N,): above zero means "a real image of
    this class"."""

    def __init__(
        self,
        num_classes: int,
        image_size: int = 64,
        in_channels: int = 3,
        *,
        condition: Condition = "projection",
        width: int = 128,
        max_channels: int = 1024,
        kernel_size: int = 4,
        norm: Norm = "spectral",
    ):
        super().__init__()
        self.num_classes, self.condition = num_classes, condition
        channels = channel_plan(image_size, width, max_channels)
        planes = num_classes if condition == "concatenation" else 0
        self.trunk = discriminator_trunk(image_size, in_channels + planes, channels, kernel_size, norm)
        spectral = norm == "spectral"
        self.head = (SpectralLinear if spectral else nn.Linear)(channels[-1], 1)
        if condition == "projection":
            self.embed = (SpectralEmbedding if spectral else nn.Embedding)(num_classes, channels[-1])
        initialize(self)
        if condition == "projection" and not spectral:  # spectral normalization takes the scale away
            nn.init.normal_(self.embed.weight, 0.0, 0.02)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        if self.condition == "concatenation":
            x = with_planes(x, labels, self.num_classes)
        features = self.trunk(x).sum(dim=(2, 3))  # φ(x): (N, C)
        logits = self.head(features).squeeze(1)
        if self.condition == "projection":
            logits = logits + (self.embed(labels) * features).sum(dim=1)
        return logits


def with_planes(images: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Images (N, C, S, S) with a plane for each class appended, 1 for the image's and 0 else: (N, C + K, S, S)."""
    planes = F.one_hot(labels, num_classes).to(images.dtype)[:, :, None, None]  # (N, K, 1, 1)
    return torch.cat([images, planes.expand(-1, -1, *images.shape[2:])], dim=1)
