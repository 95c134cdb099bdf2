"""The autoencoder of latent diffusion: images to small maps of latents, and back.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models" (arXiv:2112.10752, section 3.1).
Names of parameters are those of diffusers' `AutoencoderKL`, whose weights load as they are.

The idea: most pixels say nothing that matters to how an image looks, so a diffusion model had better work on a map
f = 2^(levels - 1) times smaller. The encoder predicts a normal distribution for each place of the map, the decoder
makes an image of a draw; a slight pull towards N(0, 1) keeps the latents from growing (Kingma & Welling 2013,
arXiv:1312.6114, appendix B).

    mean, log variance = encode(x),    z = mean + exp(log variance / 2) ε,    x' = decode(z)
    KL = 1/2 Σ (mean² + variance - 1 - log variance)

What differs: nothing from diffusers for images whose height and width are multiples of f. All others are padded below
and on the right, by repeating their last row and column; `decode` cuts them to the size they had, if it is told.

Shape letters: N images, C channels, H height, W width, Z latent channels, h = ⌈H/f⌉, w = ⌈W/f⌉.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.diffusion.models.blocks import ImageAttention, ResnetBlock, Upsample, check_groups, crop, pad_to
from torchworks.shared.config import UserError

EPS = 1e-6
"""Of all group norms; U-Nets have 1e-5."""


class AutoencoderKL(nn.Module):
    """Images (N, in_channels, H, W) of any size → reconstructions of the means, of the same shape.

    `widths` are the channels of each level, from the full size down; each level halves the image of the one before.
    `layers` are the encoder's residual blocks of a level; the decoder has one more."""

    def __init__(
        self,
        in_channels: int,
        *,
        latent_channels: int = 4,
        widths: tuple[int, ...] = (16, 32, 32),
        layers: int = 1,
        mid_attention: bool = True,
        groups: int = 8,
    ):
        super().__init__()
        check_groups(widths, groups)
        self.latent_channels, self.factor = latent_channels, 2 ** (len(widths) - 1)
        self.encoder = Encoder(in_channels, 2 * latent_channels, widths, layers, groups, mid_attention)
        self.decoder = Decoder(latent_channels, in_channels, widths, layers, groups, mid_attention)
        self.quant_conv = nn.Conv2d(2 * latent_channels, 2 * latent_channels, 1)
        self.post_quant_conv = nn.Conv2d(latent_channels, latent_channels, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log variances, the latter from -30 to 20: (N, Z, h, w) each."""
        both = self.quant_conv(self.encoder(pad_to(x, self.factor)))
        return both[:, : self.latent_channels], both[:, self.latent_channels :].clamp(-30, 20)

    def decode(self, z: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Latents (N, Z, h, w) → images (N, C, *size). Without `size` they are h f high and w f wide. Raises
        `UserError` if no image of that size has latents of this one."""
        image = self.decoder(self.post_quant_conv(z))
        if size is None:
            return image
        self.check_size(size, (z.shape[2], z.shape[3]))
        return crop(image, size)

    def forward(self, x: Tensor) -> Tensor:
        return crop(self.decode(self.encode(x)[0]), x.shape[2:])

    def check_size(self, size: tuple[int, int], latent_size: tuple[int, int]) -> None:
        """Raise `UserError` unless images of `size` (H, W) have latents of `latent_size` (h, w)."""
        wanted = tuple(-(-length // self.factor) for length in size)
        if wanted == tuple(latent_size):
            return
        height, width = (length * self.factor for length in latent_size)
        raise UserError(
            f"Latents of {latent_size[0]} × {latent_size[1]} cannot become an image of {size[0]} × {size[1]} pixels: "
            f"this autoencoder makes {self.factor} × {self.factor} pixels of each latent, so the image is "
            f"{height - self.factor + 1} to {height} pixels high and {width - self.factor + 1} to {width} wide. "
            f"Ask for such a size, or give latents of {wanted[0]} × {wanted[1]}."
        )


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) ‖ N(0, 1)) of each image, summed over its latents: (N, Z, h, w) twice → (N,)."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum((1, 2, 3))


class Encoder(nn.Module):
    """(N, C, H, W) → (N, 2 Z, H/f, W/f)."""

    def __init__(
        self, in_channels: int, out_channels: int, widths: tuple[int, ...], layers: int, groups: int, attention: bool
    ):
        super().__init__()
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        steps = list(pairwise((widths[0], *widths)))
        self.down_blocks = nn.Sequential(
            *(DownLevel(a, b, layers, groups, last=i == len(steps) - 1) for i, (a, b) in enumerate(steps))
        )
        self.mid_block = Middle(widths[-1], groups, attention)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid_block(self.down_blocks(self.conv_in(x)))
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class Decoder(nn.Module):
    """(N, Z, h, w) → (N, C, h f, w f)."""

    def __init__(
        self, in_channels: int, out_channels: int, widths: tuple[int, ...], layers: int, groups: int, attention: bool
    ):
        super().__init__()
        self.conv_in = nn.Conv2d(in_channels, widths[-1], 3, padding=1)
        self.mid_block = Middle(widths[-1], groups, attention)
        steps = list(pairwise((widths[-1], *reversed(widths))))
        self.up_blocks = nn.Sequential(
            *(UpLevel(a, b, layers + 1, groups, last=i == len(steps) - 1) for i, (a, b) in enumerate(steps))
        )
        self.conv_norm_out = nn.GroupNorm(groups, widths[0], EPS)
        self.conv_out = nn.Conv2d(widths[0], out_channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.up_blocks(self.mid_block(self.conv_in(z)))
        return self.conv_out(F.silu(self.conv_norm_out(x)))


class DownLevel(nn.Module):
    """Residual blocks, then half the size unless it is the last level."""

    def __init__(self, in_channels: int, out_channels: int, layers: int, groups: int, *, last: bool):
        super().__init__()
        self.resnets = _blocks(in_channels, out_channels, layers, groups)
        self.downsamplers = None if last else nn.Sequential(Halve(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        x = self.resnets(x)
        return x if self.downsamplers is None else self.downsamplers(x)


class UpLevel(nn.Module):
    """Residual blocks, then twice the size unless it is the last level."""

    def __init__(self, in_channels: int, out_channels: int, layers: int, groups: int, *, last: bool):
        super().__init__()
        self.resnets = _blocks(in_channels, out_channels, layers, groups)
        self.upsamplers = None if last else nn.ModuleList([Upsample(out_channels)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.resnets(x)
        if self.upsamplers is None:
            return x
        return self.upsamplers[0](x, (2 * x.shape[2], 2 * x.shape[3]))


class Middle(nn.Module):
    """Two residual blocks at the smallest size, between them attention of one head."""

    def __init__(self, channels: int, groups: int, attention: bool):
        super().__init__()
        self.resnets = _blocks(channels, channels, 2, groups)
        self.attentions = nn.ModuleList(
            [ImageAttention(channels, channels, groups=groups, eps=EPS)] if attention else []
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.resnets[0](x)
        for attention in self.attentions:
            x = attention(x)
        return self.resnets[1](x)


class Halve(nn.Module):
    """A convolution of stride 2 that looks one pixel to the right and below, and none to the left and above:
    (N, C, H, W) → (N, C, H/2, W/2) for even H and W."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


def _blocks(in_channels: int, out_channels: int, layers: int, groups: int) -> nn.Sequential:
    inputs = (in_channels, *[out_channels] * (layers - 1))
    return nn.Sequential(*(ResnetBlock(channels, out_channels, groups=groups, eps=EPS) for channels in inputs))
