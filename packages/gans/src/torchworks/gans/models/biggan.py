"""BigGAN: residual nets of requested classes, in which the class and a part of the latent vector speak at every stage.

Brock, Donahue & Simonyan 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis" (ICLR,
arXiv:1809.11096), figure 15; residual blocks of Miyato & Koyama 2018, self-attention of Zhang et al. 2019,
"Self-Attention Generative Adversarial Networks" (SAGAN, arXiv:1805.08318), eq. 1–3.

The idea: a class is one vector e(y), shared by all stages, and the latent vector is cut into chunks, one a stage
(section 3, "shared embedding" and "hierarchical latent space"). A stage's batch norms take gain and bias from both:

    z = (z₀, z₁, …)      x₀ = dense(z₀)      BN(h) · (1 + W_g [e(y), z_l]) + W_b [e(y), z_l]

    G block:  h = conv₃(relu(BN(up(relu(BN(x))))))…    added to conv₁(up(x))
    D block:  mean₂ₓ₂(conv₃(relu(conv₃(relu(x)))))     added to mean₂ₓ₂(conv₁(x))
    attention at one resolution:  x + γ · conv₁(softmax(q kᵀ) v), keys and values at half the resolution, γ = 0 at first
    D(x, y) = vᵀφ(x) + b + e'(y)ᵀφ(x), φ the sum over the last map of rectified features

All convolutions and dense layers of both nets are spectrally normalized and start orthogonal. G's weights are kept from
leaning on each other (eq. 3, "orthogonal regularization"), which lets latent vectors be truncated at drawing:

    R(W) = β ‖WᵀW ⊙ (1 − I)‖²_F

What differs: 28 pixels and more, where 4 × 4 becomes 7 × 7 (nearest neighbor, the last row and column cut; means over
what there is); small widths and few blocks; the paper's batches of 2,048 are out of reach.

Shapes: N batch, C channels, S image size, K classes.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.gans.models.config import resolutions_of
from torchworks.gans.models.dcgan import channel_plan
from torchworks.gans.models.spectral import SpectralConv2d, SpectralEmbedding, SpectralLinear


def orthogonal_penalty(net: nn.Module) -> Tensor:
    """Σ over kernels and matrices of ‖WᵀW ⊙ (1 − I)‖²_F (eq. 3), with W's columns its output channels; embeddings are
    left out."""
    total = torch.zeros((), device=next(net.parameters()).device)
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            rows = module.weight.flatten(1)
            products = rows @ rows.T
            total = total + (products - torch.diag(products.diagonal())).square().sum()
    return total


class _ConditionalNorm(nn.Module):
    """Batch norm whose gain and bias are dense functions of what is known of each image, (N, D)."""

    def __init__(self, channels: int, known: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = SpectralLinear(known, channels, bias=False)
        self.bias = SpectralLinear(known, channels, bias=False)

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        gain, bias = 1 + self.gain(known)[..., None, None], self.bias(known)[..., None, None]
        return torch.addcmul(bias.to(x.dtype), self.norm(x), gain.to(x.dtype))


class SelfAttention(nn.Module):
    """x + γ · what each place takes from all others, (N, C, H, W) → (N, C, H, W); keys and values are maxima over 2 ×
    2."""

    def __init__(self, channels: int):
        super().__init__()
        inner = max(channels // 8, 4)
        self.query = SpectralConv2d(channels, inner, 1, bias=False)
        self.key = SpectralConv2d(channels, inner, 1, bias=False)
        self.value = SpectralConv2d(channels, max(channels // 2, 4), 1, bias=False)
        self.out = SpectralConv2d(max(channels // 2, 4), channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2).transpose(1, 2)  # (N, HW, c)
        key = F.max_pool2d(self.key(x), 2).flatten(2)  # (N, c, HW/4)
        value = F.max_pool2d(self.value(x), 2).flatten(2).transpose(1, 2)  # (N, HW/4, C/2)
        found = (query @ key).softmax(dim=-1) @ value  # (N, HW, C/2)
        return x + self.gamma * self.out(found.transpose(1, 2).unflatten(2, x.shape[2:]))


class _Up(nn.Module):
    """A residual block to `size` pixels, twice as many or one less."""

    def __init__(self, in_channels: int, out_channels: int, size: int, known: int):
        super().__init__()
        self.size = size
        self.norms = nn.ModuleList([_ConditionalNorm(in_channels, known), _ConditionalNorm(out_channels, known)])
        self.first = SpectralConv2d(in_channels, out_channels, 3, padding=1)
        self.second = SpectralConv2d(out_channels, out_channels, 3, padding=1)
        self.skip = SpectralConv2d(in_channels, out_channels, 1)

    def _double(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="nearest")[..., : self.size, : self.size]

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        h = self.first(self._double(self.norms[0](x, known).relu()))
        h = self.second(self.norms[1](h, known).relu())
        return h + self._double(self.skip(x))  # a 1 × 1 convolution and copies of pixels change places for nothing


class _Down(nn.Module):
    """A residual block to half as many pixels, rounded up; `first` for the image, which is not rectified."""

    def __init__(self, in_channels: int, out_channels: int, *, first: bool = False):
        super().__init__()
        self.is_first = first
        self.first = SpectralConv2d(in_channels, out_channels, 3, padding=1)
        self.second = SpectralConv2d(out_channels, out_channels, 3, padding=1)
        self.skip = SpectralConv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.second(self.first(x if self.is_first else x.relu()).relu())
        return _halve(h) + self.skip(_halve(x))


def _halve(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2, ceil_mode=True)


class BigGANGenerator(nn.Module):
    """Latent vectors (N, latent_dim) and labels (N,) in [0, num_classes) to images (N, out_channels, S, S) in [-1, 1].

    `width` is the number of channels at full size, doubled towards the 4 × 4 end up to `max_channels`; `embed_dim` is
    the length of e(y). `attention` is the resolution that has self-attention (0: none). The latent vector is cut into
    as many chunks as there are stages and one for the start; what is left over goes to the start."""

    def __init__(
        self,
        num_classes: int,
        image_size: int = 64,
        out_channels: int = 3,
        *,
        latent_dim: int = 64,
        embed_dim: int = 32,
        width: int = 64,
        max_channels: int = 512,
        attention: int = 0,
    ):
        super().__init__()
        self.latent_dim, self.num_classes = latent_dim, num_classes
        plan = channel_plan(image_size, width, max_channels)[::-1]
        sizes = resolutions_of(image_size)[-2::-1]  # of what each stage makes
        channels = [plan[0], *plan]
        chunk = latent_dim // (len(sizes) + 1)
        self.chunks = [latent_dim - chunk * len(sizes), *[chunk] * len(sizes)]
        self.embed = nn.Embedding(num_classes, embed_dim)
        self.project = SpectralLinear(self.chunks[0], channels[0] * 16)
        self.stages = nn.ModuleList(
            _Up(a, b, size, embed_dim + chunk) for (a, b), size in zip(pairwise(channels), sizes, strict=True)
        )
        self.attend = nn.ModuleList(
            SelfAttention(b) if size == attention else nn.Identity() for b, size in zip(plan, sizes, strict=True)
        )
        self.norm = nn.BatchNorm2d(plan[-1])
        self.to_image = SpectralConv2d(plan[-1], out_channels, 3, padding=1)
        _start_orthogonal(self)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        first, *others = z.split(self.chunks, dim=1)
        shared = self.embed(labels)
        x = self.project(first).unflatten(1, (-1, 4, 4))  # (N, C, 4, 4)
        for stage, attend, chunk in zip(self.stages, self.attend, others, strict=True):
            x = attend(stage(x, torch.cat([shared.to(chunk.dtype), chunk], dim=1)))
        return self.to_image(self.norm(x).relu()).tanh()


class BigGANDiscriminator(nn.Module):
    """Images (N, in_channels, S, S) in [-1, 1] and labels (N,) to logits (N,). Sizes as in `BigGANGenerator`."""

    def __init__(
        self,
        num_classes: int,
        image_size: int = 64,
        in_channels: int = 3,
        *,
        width: int = 64,
        max_channels: int = 512,
        attention: int = 0,
    ):
        super().__init__()
        channels = [in_channels, *channel_plan(image_size, width, max_channels)]
        made = resolutions_of(image_size)[1:]  # sizes of what each stage makes
        stages: list[nn.Module] = []
        for index, ((a, b), size) in enumerate(zip(pairwise(channels), made, strict=True)):
            stages += [_Down(a, b, first=index == 0), *[SelfAttention(b)] * (size == attention)]
        self.stages = nn.Sequential(*stages)
        self.head = SpectralLinear(channels[-1], 1)
        self.embed = SpectralEmbedding(num_classes, channels[-1])
        _start_orthogonal(self)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        features = self.stages(x).relu().sum(dim=(2, 3))  # φ(x): (N, C)
        return self.head(features).squeeze(1) + (self.embed(labels) * features).sum(dim=1)


def _start_orthogonal(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.Embedding)):
            nn.init.orthogonal_(module.weight)
        if isinstance(module, (SpectralConv2d, SpectralLinear, SpectralEmbedding)):
            module.settle()
