"""DCGAN: a generator and a discriminator made of strided convolutions alone.

Radford, Metz & Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks" (arXiv:1511.06434).

The idea: no pooling, no hidden dense layers; each stage halves or doubles the image, normalized by its batch.

    G:  z → dense → (c, 4, 4) → [transposed conv ×2 → BN → ReLU] × k → (image, tanh)
    D:  image → [conv ÷2 → BN → LeakyReLU 0.2] × k → (c, 4, 4) → dense → one logit

BN is left out at the generator's output and the discriminator's input (the paper, section 3); all weights start
as N(0, 0.02²) and BN's gains as N(1, 0.02²).

What differs: 16, 28, 32, 64, 128 or 256 pixels instead of 64 only, where 28 is 4 → 7 → 14 → 28 and the odd side is
met by an odd kernel that makes 2n − 1 pixels of n; `norm="spectral"` puts spectral normalization (spectral.py) in
place of the discriminator's BN, which is what makes it trainable without luck; kernel 4 is offered
beside the paper's 5, because it is a multiple of the stride and so leaves no checkerboard (Odena et al. 2016);
logits are returned rather than probabilities.

| net, 64 × 64 color | kernel | parameters |
|---|---|---|
| `DCGANGenerator()`, as in the paper | 5 | 18.9 M |
| `DCGANDiscriminator(norm="batch")`, as in the paper | 5 | 17.2 M |

Shapes: N batch, C channels, S image size.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from torchworks.gans.models.config import resolutions_of, stages_of
from torchworks.gans.models.spectral import SpectralConv2d, SpectralLinear

Norm = Literal["batch", "spectral", "none"]


class DCGANGenerator(nn.Module):
    """Latent vectors (N, latent_dim) to images (N, out_channels, S, S) in [-1, 1].

    `width` is the number of channels before the last layer; it doubles towards the 4 × 4 end up to
    `max_channels`. `kernel_size` is 4 or 5. Raises `UserError` for a size that is not in `config.SIZES`.
    """

    def __init__(
        self,
        image_size: int = 64,
        out_channels: int = 3,
        *,
        latent_dim: int = 100,
        width: int = 128,
        max_channels: int = 1024,
        kernel_size: int = 5,
    ):
        super().__init__()
        self.latent_dim = latent_dim
        channels = channel_plan(image_size, width, max_channels)[::-1]
        self.project = nn.Linear(latent_dim, channels[0] * 16, bias=False)
        self.norm = nn.BatchNorm2d(channels[0])
        sizes = resolutions_of(image_size)[-2::-1]  # of what each stage makes
        stages = [
            nn.Sequential(up(c_in, c_out, kernel_size, size, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(True))
            for (c_in, c_out), size in zip(pairwise(channels), sizes, strict=False)
        ]
        self.stages = nn.Sequential(*stages)
        self.to_image = up(channels[-1], out_channels, kernel_size, image_size)
        initialize(self)

    def forward(self, z: Tensor) -> Tensor:
        x = self.project(z).unflatten(1, (-1, 4, 4))  # (N, C, 4, 4)
        x = self.stages(self.norm(x).relu())  # (N, width, S/2, S/2)
        return self.to_image(x).tanh()


class DCGANDiscriminator(nn.Module):
    """Images (N, in_channels, S, S) in [-1, 1] to logits (N,): above zero means "real".

    `norm` is "batch" (the paper), "spectral" or "none". With "batch", give real and generated images in separate
    calls: statistics over both would tell them apart.
    """

    def __init__(
        self,
        image_size: int = 64,
        in_channels: int = 3,
        *,
        width: int = 128,
        max_channels: int = 1024,
        kernel_size: int = 5,
        norm: Norm = "batch",
    ):
        super().__init__()
        channels = channel_plan(image_size, width, max_channels)
        self.trunk = discriminator_trunk(image_size, in_channels, channels, kernel_size, norm)
        self.head = (SpectralLinear if norm == "spectral" else nn.Linear)(channels[-1] * 16, 1)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x).flatten(1)).squeeze(1)


def channel_plan(image_size: int, width: int, max_channels: int) -> list[int]:
    """Channels of the stages from the image's end to the 4 × 4 end: [width, 2·width, …]."""
    return [min(width * 2**stage, max_channels) for stage in range(stages_of(image_size))]


def discriminator_trunk(
    image_size: int, in_channels: int, channels: list[int], kernel_size: int, norm: Norm
) -> nn.Sequential:
    """Stages that halve images (N, in_channels, S, S) down to (N, channels[-1], 4, 4)."""
    stages: list[nn.Module] = []
    sizes = resolutions_of(image_size)[:-1]  # of what each stage reads
    for index, (c_in, c_out, size) in enumerate(zip([in_channels, *channels[:-1]], channels, sizes, strict=True)):
        batch_norm = norm == "batch" and index > 0
        conv = SpectralConv2d if norm == "spectral" else nn.Conv2d
        kernel = _kernel(kernel_size, size)
        layers = [conv(c_in, c_out, kernel, stride=2, padding=(kernel - 1) // 2, bias=not batch_norm)]
        if batch_norm:
            layers.append(nn.BatchNorm2d(c_out))
        stages.append(nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True)))
    return nn.Sequential(*stages)


def up(in_channels: int, out_channels: int, kernel_size: int, size: int, bias: bool = True) -> nn.ConvTranspose2d:
    """A transposed convolution to `size` pixels from half as many, rounded up, for kernel 4 and 5."""
    kernel = _kernel(kernel_size, size)
    return nn.ConvTranspose2d(
        in_channels,
        out_channels,
        kernel,
        stride=2,
        padding=(kernel - 1) // 2,
        output_padding=kernel % 2 if size % 2 == 0 else 0,
        bias=bias,
    )


def _kernel(kernel_size: int, size: int) -> int:
    """`kernel_size`, or the odd number below it where one side of the layer is odd: with stride 2, only an odd kernel
    has a middle pixel to put on every second of 7."""
    return kernel_size - 1 if size % 2 and kernel_size % 2 == 0 else kernel_size


def initialize(net: nn.Module) -> None:
    """The paper's start: weights N(0, 0.02²), gains N(1, 0.02²), biases 0."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02)
        if isinstance(module, (SpectralConv2d, SpectralLinear)):
            module.settle()
