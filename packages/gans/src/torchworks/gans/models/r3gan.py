"""R3GAN: a relativistic loss with two gradient penalties, and plain modern residual nets.

Huang, Gokaslan, Kuleshov & Tompkin 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline" (NeurIPS,
arXiv:2501.05441). Written from the paper.

The idea: with a loss that converges locally, the collection of tricks of older GANs (normalization layers,
minibatch statistics, equalised rates, style) can go. The discriminator compares each real image with a generated
one, and is kept flat on both (eq. 2–5):

    L_D = E softplus(−(D(x) − D(G(z)))) + γ/2 E‖∇D(x)‖² + γ/2 E‖∇D(G(z))‖²
    L_G = E softplus(−(D(G(z)) − D(x)))

The nets ("Config E") are mirror images. A stage is a change of resolution followed by residual blocks

    1×1 (wider) → LeakyReLU → 3×3 grouped → LeakyReLU → 1×1 (back), added to the input

without any normalization. Instead, Fix-up initialization: a block's last layer starts at zero, the other two are
scaled down by L^(−1/4) for L blocks in the net, so that every block starts as the identity.
Resolution changes are smoothed by [1, 2, 1]: upward, nearest neighbor then [1, 2, 1] in each direction, which
is bilinear interpolation; downward, [1, 2, 1] then the mean of 2 × 2. Between 4 and 7 pixels (for images of 28),
where pixels of the one lie on every second of the other: upward, means are put between; downward, [1, 2, 1].

Classes, if there are any: the generator has an embedding of the class beside the latent vector, and the discriminator's
logit is the product of the image's features with another (Miyato & Koyama 2018, "cGANs with Projection Discriminator",
eq. 4), divided by the root of their number.

What differs: widths for small images and small machines; γ is constant (the paper anneals γ, the rates and the
augmentation on one cosine); `output="tanh"` for images with areas of exactly -1 (stylegan2.py says why).

Shapes: N batch, C channels, S image size.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.models.config import resolutions_of
from torchworks.gans.models.dcgan import channel_plan

_SLOPE = 0.2
_GAIN = math.sqrt(2 / (1 + _SLOPE**2))


def _scaled(conv: nn.Conv2d | nn.Linear, gain: float) -> nn.Conv2d | nn.Linear:
    """`conv` with weights N(0, gain² / fan_in) and biases zero (He et al. 2015)."""
    nn.init.normal_(conv.weight, 0.0, gain / math.sqrt(conv.weight[0].numel()))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


class ResidualBlock(nn.Module):
    """x + W₃ a(W₂ a(W₁ x)), (N, C, H, W) → (N, C, H, W); W₂ is 3 × 3 in groups of `group_size` channels.

    `blocks` is the number of such blocks in the net, which sets the scale of the first two layers.
    """

    def __init__(self, channels: int, *, expansion: int, group_size: int, blocks: int):
        super().__init__()
        inner = channels * expansion
        gain = _GAIN * blocks**-0.25
        groups = max(inner // group_size, 1)
        self.expand = _scaled(nn.Conv2d(channels, inner, 1), gain)
        self.mix = _scaled(nn.Conv2d(inner, inner, 3, padding=1, groups=groups), gain)
        self.reduce = _scaled(nn.Conv2d(inner, channels, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        h = F.leaky_relu(self.expand(x), _SLOPE)
        h = F.leaky_relu(self.mix(h), _SLOPE)
        return x + self.reduce(h)


def upsample(x: Tensor, *, to_odd: bool = False) -> Tensor:
    """(N, C, H, W) → (N, C, 2H, 2W), nearest neighbor smoothed by [1, 2, 1]; with `to_odd`,
    (N, C, 2H − 1, 2W − 1), the pixels with means between them."""
    if to_odd:
        size = (2 * x.shape[2] - 1, 2 * x.shape[3] - 1)
        return F.interpolate(x, size, mode="bilinear", align_corners=True)
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def downsample(x: Tensor) -> Tensor:
    """(N, C, H, W) → (N, C, ⌈H/2⌉, ⌈W/2⌉), edges repeated. Even sizes are smoothed by [1, 2, 1] and averaged over
    2 × 2: together the separable kernel [1, 3, 3, 1] / 8. Of odd ones, every second pixel after [1, 2, 1] / 4."""
    taps = [1.0, 2.0, 1.0] if x.shape[-1] % 2 else [1.0, 3.0, 3.0, 1.0]
    kernel = torch.tensor(taps, device=x.device, dtype=x.dtype) / sum(taps)
    kernel = torch.outer(kernel, kernel).expand(x.shape[1], 1, len(taps), len(taps))
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, stride=2, groups=x.shape[1])


class R3GANGenerator(nn.Module):
    """Latent vectors (N, latent_dim), and labels (N,) if `num_classes` is not zero, to images (N, out_channels, S, S);
    in [-1, 1] with an `output` of "tanh"; "linear", as in the paper, bounds nothing.

    `width` is the number of channels at full size; it doubles towards the 4 × 4 end up to `max_channels`.
    Every resolution has `blocks` residual blocks.
    """

    def __init__(
        self,
        image_size: int = 32,
        out_channels: int = 3,
        *,
        num_classes: int = 0,
        latent_dim: int = 64,
        width: int = 64,
        max_channels: int = 512,
        blocks: int = 2,
        expansion: int = 2,
        group_size: int = 16,
        output: str = "linear",
    ):
        super().__init__()
        self.latent_dim, self.output = latent_dim, output
        channels = _channels(image_size, width, max_channels)[::-1]
        self.sizes = resolutions_of(image_size)[-2::-1]  # of what each stage but the first makes
        options = {"expansion": expansion, "group_size": group_size, "blocks": blocks * len(channels)}
        self.basis = nn.Parameter(torch.randn(channels[0], 4, 4))
        self.embed = nn.Embedding(num_classes, latent_dim) if num_classes else None
        told = 2 * latent_dim if num_classes else latent_dim
        self.modulate = _scaled(nn.Linear(told, channels[0], bias=False), 1.0)
        self.stages = nn.ModuleList(_blocks(c, blocks, options) for c in channels)
        self.widths = nn.ModuleList(_width_change(a, b) for a, b in pairwise(channels))
        self.to_image = _scaled(nn.Conv2d(channels[-1], out_channels, 1, bias=False), 1.0)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.embed is not None:
            assert labels is not None
            z = torch.cat([z, self.embed(labels).to(z.dtype)], dim=1)
        x = self.modulate(z)[:, :, None, None] * self.basis  # (N, C, 4, 4)
        x = self.stages[0](x)
        for change, stage, size in zip(self.widths, list(self.stages)[1:], self.sizes, strict=True):
            x = stage(upsample(change(x), to_odd=size % 2 == 1))
        image = self.to_image(x)
        return torch.tanh(image) if self.output == "tanh" else image


class R3GANDiscriminator(nn.Module):
    """Images (N, in_channels, S, S) in [-1, 1], and labels (N,) if `num_classes` is not zero, to logits (N,); only
    differences of logits mean something."""

    def __init__(
        self,
        image_size: int = 32,
        in_channels: int = 3,
        *,
        num_classes: int = 0,
        width: int = 64,
        max_channels: int = 512,
        blocks: int = 2,
        expansion: int = 2,
        group_size: int = 16,
    ):
        super().__init__()
        channels = _channels(image_size, width, max_channels)
        options = {"expansion": expansion, "group_size": group_size, "blocks": blocks * len(channels)}
        self.from_image = _scaled(nn.Conv2d(in_channels, channels[0], 1, bias=False), 1.0)
        self.stages = nn.ModuleList(_blocks(c, blocks, options) for c in channels)
        self.widths = nn.ModuleList(_width_change(a, b) for a, b in pairwise(channels))
        self.basis = _scaled(nn.Conv2d(channels[-1], channels[-1], 4, groups=channels[-1], bias=False), 1.0)
        self.embed = nn.Embedding(num_classes, channels[-1]) if num_classes else None
        self.head = _scaled(nn.Linear(channels[-1], channels[-1] if num_classes else 1, bias=False), 1.0)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.stages[0](self.from_image(x))
        for change, stage in zip(self.widths, list(self.stages)[1:], strict=True):
            x = stage(change(downsample(x)))
        features = self.head(self.basis(x).flatten(1))
        if self.embed is None:
            return features.squeeze(1)
        assert labels is not None
        return (features * self.embed(labels)).sum(dim=1) / math.sqrt(features.shape[1])


def _channels(image_size: int, width: int, max_channels: int) -> list[int]:
    """Channels at each resolution from full size to 4 × 4."""
    plan = channel_plan(image_size, width, max_channels)
    return [*plan, min(plan[-1] * 2, max_channels)]


def _blocks(channels: int, count: int, options: dict[str, int]) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels, **options) for _ in range(count)))


def _width_change(in_channels: int, out_channels: int) -> nn.Module:
    if in_channels == out_channels:
        return nn.Identity()
    return _scaled(nn.Conv2d(in_channels, out_channels, 1, bias=False), 1.0)
