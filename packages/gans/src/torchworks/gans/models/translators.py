"""The networks that CycleGAN and pix2pix share: a residual image-to-image generator and a patch discriminator.

Generator: Johnson, Alahi & Fei-Fei 2016 as used by Zhu et al. 2017 (section 7.1), in the paper's notation
c7s1-w, d2w, d4w, R4w × blocks, u2w, uw, c7s1-C: convolutions with reflected edges and instance normalization.
Discriminator: Isola et al. 2017, section 6.1.2, the PatchGAN C64-C128-C256-C512: one logit for each patch of the
image, no normalization at the first layer.

What differs: u is a nearest-neighbor upsampling followed by a convolution instead of a transposed convolution,
which leaves no checkerboard (Odena, Dumoulin & Olah 2016); the patch is 70 pixels from 128-pixel images on, as in
the papers, and 34 or 16 for smaller ones, where 70 would be the whole image; the discriminator may have spectral
normalization (spectral.py), because instance normalization removes whatever is the same at every pixel, such as a
map that says the class.

Shapes: N batch, C channels, S image size, P patches a side.
"""

from typing import Literal

from torch import Tensor, nn

from torchworks.gans.models.spectral import SpectralConv2d

_INIT_STD = 0.02


class ResnetGenerator(nn.Module):
    """Images (N, in_channels, S, S) in [-1, 1] to images (N, out_channels, S, S) in [-1, 1]; S divisible by
    2^downsamplings."""

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        *,
        width: int = 64,
        blocks: int = 9,
        downsamplings: int = 2,
        outer_kernel: int = 7,
    ):
        super().__init__()
        layers = [*_conv(in_channels, width, outer_kernel), nn.ReLU(True)]
        for level in range(downsamplings):
            layers += [*_conv(width * 2**level, width * 2 ** (level + 1), 3, stride=2), nn.ReLU(True)]
        layers += [ResnetBlock(width * 2**downsamplings) for _ in range(blocks)]
        for level in range(downsamplings, 0, -1):
            layers.append(nn.Upsample(scale_factor=2, mode="nearest"))
            layers += [*_conv(width * 2**level, width * 2 ** (level - 1), 3), nn.ReLU(True)]
        layers += [
            nn.Conv2d(width, out_channels, outer_kernel, padding=outer_kernel // 2, padding_mode="reflect"),
            nn.Tanh(),
        ]
        self.layers = nn.Sequential(*layers)
        _initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class ResnetBlock(nn.Module):
    """x + IN(conv(relu(IN(conv(x))))), (N, C, H, W) → (N, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(*_conv(channels, channels, 3), nn.ReLU(True), *_conv(channels, channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class PatchDiscriminator(nn.Module):
    """Images (N, in_channels, S, S) to logits (N, 1, P, P), one for each overlapping patch.

    `layers` counts the stride-2 convolutions: 3 sees patches of 70 pixels, 2 of 34, 1 of 16.
    """

    def __init__(
        self,
        in_channels: int = 3,
        *,
        width: int = 64,
        layers: int = 3,
        norm: Literal["instance", "spectral"] = "instance",
    ):
        super().__init__()
        self.receptive_field = 9 * 2**layers - 2
        conv = SpectralConv2d if norm == "spectral" else nn.Conv2d
        plan = [width * min(2**level, 8) for level in range(layers + 1)]
        modules: list[nn.Module] = [conv(in_channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
        for level in range(1, layers + 1):
            stride = 2 if level < layers else 1
            instance = norm == "instance"
            modules.append(conv(plan[level - 1], plan[level], 4, stride=stride, padding=1, bias=not instance))
            modules += [nn.InstanceNorm2d(plan[level])] if instance else []
            modules.append(nn.LeakyReLU(0.2, True))
        modules.append(conv(plan[-1], 1, 4, padding=1))
        self.layers = nn.Sequential(*modules)
        _initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def patch_layers(image_size: int) -> int:
    """Stride-2 layers of the patch discriminator that suit an image: 1 below 64 pixels, 2 below 128, else 3."""
    return 1 if image_size < 64 else 2 if image_size < 128 else 3


def _conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        padding_mode="reflect",
        bias=False,
    )
    return [conv, nn.InstanceNorm2d(out_channels)]


def _initialize(net: nn.Module) -> None:
    """Weights N(0, 0.02²), biases 0 (both papers)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, _INIT_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, SpectralConv2d):
            module.settle()
