"""StyleGAN2: a generator that is steered by styles at every resolution.

Karras, Laine, Aittala, Hellsten, Lehtinen & Aila 2020, "Analyzing and Improving the Image Quality of StyleGAN" (CVPR,
arXiv:1912.04958), after Karras, Laine & Aila 2019 (arXiv:1812.04948), both called SG2 and SG1 below. Written from the
papers.

The idea: a latent vector z is first mapped to an intermediate one, w, which need not be normally distributed, so that
it can be less entangled. The image grows from a learned constant, and at every layer w says how strong each feature
map is:

    z → z / ‖z‖ · √D → 8 dense layers → w          SG1 figure 1b, "Mapping network"
    s = A w + 1                                    a style for each input channel
    w′ᵢⱼₖ = sᵢ · wᵢⱼₖ                              SG2 eq. 1, modulation of the convolution's weights
    w″ᵢⱼₖ = w′ᵢⱼₖ / √(Σᵢₖ w′ᵢⱼₖ² + ε)              SG2 eq. 3, demodulation: outputs have unit variance again
    x ← lrelu(w″ ∗ x + strength · noise + b) · √2  SG2 figure 2d
    image ← up(image) + toRGB(x)                   SG2 figure 7b, "output skips"

As sᵢ belongs to an input channel and the denominator to an output channel, the modulated convolution of a sample is
that of x · s with the weights that all samples share, times the reciprocal of the denominator: no weights for each
sample are ever made, and the batch may have any size, also in an exported net. `per_sample_convolution` is eq. 1 and 3
as they stand; tests hold the two equal.

- *Equalized learning rate* (Karras et al. 2018, section 4.1): weights are stored as N(0, 1) and scaled by 1 / √fan_in
  in use, so that Adam's steps are as large, relative to the weights, in every layer. The mapping learns 0.01 times as
  fast (SG1 appendix C).
- *Noise*: one number a pixel, the same for all channels, scaled by a learned strength that starts at 0. In evaluation
  it is fixed, a part of the net.
- *Style mixing* (SG1 section 3.1): layers from a random one on get the w of another z.
- *Truncation* (SG1 appendix B): w̄ + ψ (w − w̄), with a running mean w̄; ψ < 1 gives more typical and less varied images.
- *Discriminator* (SG2 figure 7c): residual blocks, then the standard deviation over groups of 4 images as another
  feature map (Karras et al. 2018, section 3), by which a lack of variety shows.
- Resolution changes are filtered by [1, 3, 3, 1] (resampling.py).

What differs: sizes for small images and small machines (`width` channels at full size, doubled towards the coarse end);
28 pixels grow from 7 × 7, not 4 × 4; no labels; `mapping_layers` is 8 in the paper. With `output="tanh"` a tanh follows
the last sum: where images have areas of exactly -1, a discriminator tells the unbounded output of the paper by how it
departs from -1 there, and the generator learns to depart less by changing less with w, until all images have one shape
(docs/stylegan2.md has the numbers).

| net, 1024 × 1024 color, as in the paper | parameters |
|---|---|
| `StyleGAN2Generator` | 30 M |
| `StyleGAN2Discriminator` | 29 M |

Shapes: N batch, C channels, H = W side of a feature map, S image size, D length of z, W length of w, L layers that
take a style.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.models.config import style_resolutions
from torchworks.gans.models.resampling import BINOMIAL, downsample2d, low_pass, upfirdn2d, upsample2d

SLOPE, GAIN = 0.2, math.sqrt(2)
MEAN_DECAY = 0.995  # of the running mean of w
GROUP = 4  # images whose standard deviation is one feature map


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU that keeps the variance of normal numbers nearly."""
    return F.leaky_relu(x, SLOPE) * GAIN


class EqualizedLinear(nn.Module):
    """(…, in_features) → (…, out_features) with weights stored as N(0, 1 / lr_multiplier²)."""

    def __init__(self, in_features: int, out_features: int, *, bias: float = 0.0, lr_multiplier: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias / lr_multiplier))
        self.scale, self.lr_multiplier = lr_multiplier / math.sqrt(in_features), lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.lr_multiplier)


class EqualizedConv2d(nn.Module):
    """A convolution with weights stored as N(0, 1); with `down`, it halves the image, filtered by [1, 3, 3, 1]."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, *, bias: bool = True, down: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = 1 / math.sqrt(self.weight[0].numel())
        self.down = down
        self.register_buffer("taps", low_pass(BINOMIAL), persistent=False)
        self.taps: Tensor

    def forward(self, x: Tensor) -> Tensor:
        weight, side = self.weight * self.scale, self.weight.shape[-1]
        if not self.down:
            return F.conv2d(x, weight, self.bias, padding=side // 2)
        if side == 1:
            return F.conv2d(downsample2d(x, self.taps), weight, self.bias)
        x = upfirdn2d(x, self.taps, padding=(2, 2))
        return F.conv2d(x, weight, self.bias, stride=2)


# ---- mapping ---------------------------------------------------------------------------------------------


class Mapping(nn.Module):
    """Latent vectors (N, D) → w (N, W); `mean` (W,) is the running mean of w, moved on by `track`."""

    def __init__(self, latent_dim: int, style_dim: int, layers: int, lr_multiplier: float = 0.01):
        super().__init__()
        sizes = [latent_dim] + [style_dim] * layers
        self.layers = nn.ModuleList(EqualizedLinear(a, b, lr_multiplier=lr_multiplier) for a, b in pairwise(sizes))
        self.register_buffer("mean", torch.zeros(style_dim))
        self.mean: Tensor

    def forward(self, z: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):  # small, and everything depends on it
            x = z.float()
            x = x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)
            for layer in self.layers:
                x = activate(layer(x))
            return x

    @torch.no_grad()
    def track(self, w: Tensor) -> None:
        self.mean.lerp_(w.mean(dim=0), 1 - MEAN_DECAY)


# ---- synthesis -------------------------------------------------------------------------------------------


class ModulatedConv2d(nn.Module):
    """A convolution whose weights are scaled by a style: x (N, in, H, H) and w (N, W) → (N, out, H, H), or
    (N, out, 2H, 2H) with `up`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        style_dim: int,
        *,
        up: bool = False,
        demodulate: bool = True,
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.to_style = EqualizedLinear(style_dim, in_channels, bias=1.0)
        self.scale = 1 / math.sqrt(self.weight[0].numel())
        self.up, self.demodulate = up, demodulate
        self.register_buffer("taps", low_pass(BINOMIAL), persistent=False)
        self.taps: Tensor

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            style = self.to_style(w.float())
            weight = self.weight * self.scale
            norm = demodulation(weight, style) if self.demodulate else None
        x = x * style[:, :, None, None].to(x.dtype)
        x = upsampling_convolution(x, weight, self.taps) if self.up else same_convolution(x, weight)
        return x if norm is None else x * norm[:, :, None, None].to(x.dtype)


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """The reciprocal of eq. 3's denominator, (N, out), for weights (out, in, k, k) and styles (N, in)."""
    return torch.rsqrt(style.square() @ weight.square().sum(dim=(2, 3)).T + 1e-8)


def same_convolution(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x, weight, padding=weight.shape[-1] // 2)


def upsampling_convolution(x: Tensor, weight: Tensor, taps: Tensor) -> Tensor:
    """(N, in, H, H) → (N, out, 2H, 2H): zeros between the pixels, `weight` (out, in, 3, 3), then the low-pass `taps`;
    the first two are one transposed convolution."""
    x = F.conv_transpose2d(x, weight.transpose(0, 1).flip(2, 3), stride=2)
    return upfirdn2d(x, taps * 2, padding=(1, 1))


def per_sample_convolution(x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool = True) -> Tensor:
    """Eq. 1 and 3 as they stand, a sample at a time: x (N, in, H, H), weight (out, in, k, k), style (N, in) →
    (N, out, H, H). It is what `ModulatedConv2d` must equal, and is used by nothing else."""
    rows = []
    for image, scales in zip(x, style, strict=True):
        modulated = weight * scales[None, :, None, None]
        if demodulate:
            modulated = modulated / torch.sqrt(modulated.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        rows.append(F.conv2d(image[None], modulated, padding=weight.shape[-1] // 2)[0])
    return torch.stack(rows)


class StyledLayer(nn.Module):
    """Modulated convolution, noise, bias, activation. Without `noise` (N, 1, H, H) it adds its own, which is fixed."""

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, size: int, *, up: bool = False):
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, style_dim, up=up)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("noise", torch.randn(1, 1, size, size))
        self.noise: Tensor

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        x = self.conv(x, w)
        noise = (self.noise if noise is None else noise) * self.strength
        return activate(x + noise.to(x.dtype) + self.bias[:, None, None].to(x.dtype))


class ToImage(nn.Module):
    """Feature maps (N, in, H, H) → (N, C, H, H), modulated but not demodulated."""

    def __init__(self, in_channels: int, out_channels: int, style_dim: int):
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 1, style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return self.conv(x, w) + self.bias[:, None, None].to(x.dtype)


class Synthesis(nn.Module):
    """Styles (N, L, W) → images (N, out_channels, S, S).

    Layers: one at the coarsest resolution and two at each other; the image of a resolution takes the style of the layer
    after its last one. `noise` has (N, 1, H, H) for each layer, of the sides `noise_sizes`.
    """

    def __init__(self, image_size: int, out_channels: int, style_dim: int, width: int, max_channels: int, output: str):
        super().__init__()
        self.output = output
        sizes = style_resolutions(image_size)[::-1]
        channels = style_channels(image_size, width, max_channels)[::-1]
        self.constant = nn.Parameter(torch.randn(channels[0], sizes[0], sizes[0]))
        layers = [StyledLayer(channels[0], channels[0], style_dim, sizes[0])]
        for before, after, size in zip(channels[:-1], channels[1:], sizes[1:], strict=True):
            layers.append(StyledLayer(before, after, style_dim, size, up=True))
            layers.append(StyledLayer(after, after, style_dim, size))
        self.layers = nn.ModuleList(layers)
        self.to_image = nn.ModuleList(ToImage(count, out_channels, style_dim) for count in channels)
        self.register_buffer("taps", low_pass(BINOMIAL), persistent=False)
        self.taps: Tensor
        self.noise_sizes = [sizes[0]] + [size for size in sizes[1:] for _ in range(2)]
        self.styles = 2 * len(sizes)

    def forward(self, styles: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        given = [None] * len(self.layers) if noise is None else noise
        x = self.constant.expand(styles.shape[0], -1, -1, -1)
        image = None
        for index, (layer, its_noise) in enumerate(zip(self.layers, given, strict=True)):
            x = layer(x, styles[:, index], its_noise)
            if index % 2 == 0:  # the last layer of a resolution
                new = self.to_image[index // 2](x, styles[:, index + 1])
                image = new if image is None else upsample2d(image, self.taps) + new
        assert image is not None
        return torch.tanh(image) if self.output == "tanh" else image


class Mixing(NamedTuple):
    """What training gives a generator besides latent vectors: others, `z` (N, D), whose styles the layers from `cut`
    (N,) on have, and `noise` as in `Synthesis`."""

    z: Tensor
    cut: Tensor
    noise: Sequence[Tensor]


class StyleGAN2Generator(nn.Module):
    """Latent vectors (N, latent_dim) to images (N, out_channels, S, S), in [-1, 1] with an `output` of
    "tanh"; "linear", as in the paper, bounds nothing.

    `width` is the number of channels at full size; it doubles towards the coarse end up to `max_channels`. Raises
    `UserError` for a size that is not in `config.SIZES`.
    """

    def __init__(
        self,
        image_size: int = 32,
        out_channels: int = 3,
        *,
        latent_dim: int = 64,
        style_dim: int = 64,
        mapping_layers: int = 4,
        width: int = 32,
        max_channels: int = 512,
        output: str = "linear",
    ):
        super().__init__()
        self.latent_dim, self.style_dim = latent_dim, style_dim
        self.mapping = Mapping(latent_dim, style_dim, mapping_layers)
        self.synthesis = Synthesis(image_size, out_channels, style_dim, width, max_channels, output)

    def forward(
        self,
        z: Tensor,
        truncation: Tensor | None = None,
        fine: Tensor | None = None,
        crossover: Tensor | None = None,
        *,
        mixing: Mixing | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Images; `truncation` (N,) is ψ of each, 1 if it is not given. With `fine` (N, D), layers from `crossover`
        (N,) in 0 … L on have the styles of those latent vectors. With `mixing`, as in training: images and their
        styles (N, L, W), and in training mode the running mean of w moves on."""
        if mixing is not None:
            return self._mixed(z, mixing)
        styles = self.styles(self._w(z, truncation))
        if fine is not None:
            assert crossover is not None
            styles = self.crossed(styles, self.styles(self._w(fine, truncation)), crossover)
        return self.synthesis(styles)

    def _w(self, z: Tensor, truncation: Tensor | None) -> Tensor:
        w = self.mapping(z)
        return w if truncation is None else self.truncated(w, truncation)

    def _mixed(self, z: Tensor, mixing: Mixing) -> tuple[Tensor, Tensor]:
        w, other = self.mapping(torch.cat([z, mixing.z])).chunk(2)
        if self.training:
            self.mapping.track(w.detach())
        styles = self.crossed(self.styles(w), self.styles(other), mixing.cut)
        return self.synthesis(styles, mixing.noise), styles

    def styles(self, w: Tensor) -> Tensor:
        """(N, W) → (N, L, W): the same style in all layers."""
        return w[:, None].expand(-1, self.synthesis.styles, -1)

    def crossed(self, coarse: Tensor, fine: Tensor, cut: Tensor) -> Tensor:
        """Styles (N, L, W) of `coarse` before layer `cut` (N,), of `fine` from there on."""
        layer = torch.arange(self.synthesis.styles, device=cut.device)
        return torch.where((layer < cut[:, None])[..., None], coarse, fine)

    def truncated(self, w: Tensor, truncation: Tensor) -> Tensor:
        """w̄ + ψ (w − w̄) for w (N, W) and ψ (N,)."""
        return self.mapping.mean + truncation[:, None] * (w - self.mapping.mean)


# ---- discriminator ---------------------------------------------------------------------------------------


class MinibatchDeviation(nn.Module):
    """Another feature map (N, C + 1, H, H): the standard deviation over a group of images, averaged over features and
    pixels (Karras et al. 2018, section 3). Groups have 4 images, or fewer where 4 do not divide the batch."""

    def forward(self, x: Tensor) -> Tensor:
        group = max(size for size in range(1, GROUP + 1) if len(x) % size == 0)
        y = x.float().unflatten(0, (group, -1))  # (G, N / G, C, H, H)
        deviation = torch.sqrt(y.var(dim=0, correction=0) + 1e-8).mean(dim=(1, 2, 3))  # (N / G,)
        plane = deviation.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return torch.cat([x, plane.to(x.dtype)], dim=1)


class ResidualBlock(nn.Module):
    """(N, in, H, H) → (N, out, H/2, H/2): two convolutions beside one of 1 × 1, added and scaled by 1 / √2."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.first = EqualizedConv2d(in_channels, in_channels, 3)
        self.second = EqualizedConv2d(in_channels, out_channels, 3, down=True)
        self.skip = EqualizedConv2d(in_channels, out_channels, 1, bias=False, down=True)

    def forward(self, x: Tensor) -> Tensor:
        return (activate(self.second(activate(self.first(x)))) + self.skip(x)) / GAIN


class StyleGAN2Discriminator(nn.Module):
    """Images (N, in_channels, S, S) in [-1, 1] to logits (N,): above zero means "real". Rows of a batch are compared
    with each other, so give real and generated images in separate calls."""

    def __init__(self, image_size: int = 32, in_channels: int = 3, *, width: int = 32, max_channels: int = 512):
        super().__init__()
        channels = style_channels(image_size, width, max_channels)
        side = style_resolutions(image_size)[-1]
        self.from_image = EqualizedConv2d(in_channels, channels[0], 1)
        self.blocks = nn.Sequential(*map(ResidualBlock, channels[:-1], channels[1:]))
        self.deviation = MinibatchDeviation()
        self.last = EqualizedConv2d(channels[-1] + 1, channels[-1], 3)
        self.dense = EqualizedLinear(channels[-1] * side**2, channels[-1])
        self.head = EqualizedLinear(channels[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(activate(self.from_image(x)))
        x = activate(self.last(self.deviation(x))).flatten(1)
        return self.head(activate(self.dense(x))).squeeze(1)


def style_channels(image_size: int, width: int, max_channels: int) -> list[int]:
    """Channels at each resolution from full size to the coarsest: [width, 2·width, …]."""
    return [min(width * 2**stage, max_channels) for stage in range(len(style_resolutions(image_size)))]
