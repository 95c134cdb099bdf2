"""Sizes of images and nets. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from torchworks.shared.config import Count, CountOrZero, Limited, UserError, limited

SIZES = (16, 28, 32, 64, 128, 256)
"""Widths of images in pixels. 28 is 4 → 7 → 14 → 28, the others are 4·2^k."""


def resolutions_of(image_size: int) -> list[int]:
    """Widths of the feature maps from `image_size` down to 4, each half of the one before, rounded up: [28, 14, 7, 4].
    Raises `UserError` unless `image_size` is one of `SIZES`."""
    if image_size not in SIZES:
        below = [size for size in SIZES if size < image_size][-1:]
        above = [size for size in SIZES if size > image_size][:1]
        near = " or ".join(str(size) for size in below + above)
        raise UserError(
            f"These networks double 4 × 4 pixels until the image has its size, so an image is "
            f"{', '.join(map(str, SIZES[:-1]))} or {SIZES[-1]} pixels wide; {image_size} is not possible. Use "
            f"--loader.image-size {near}; images are resized to it."
        )
    resolutions = [image_size]
    while resolutions[-1] > 4:
        resolutions.append(-(-resolutions[-1] // 2))
    return resolutions


def stages_of(image_size: int) -> int:
    """Doublings from 4 × 4 to `image_size`; raises `UserError` unless it is one of `SIZES`."""
    return len(resolutions_of(image_size)) - 1


def style_resolutions(image_size: int) -> list[int]:
    """The same for StyleGAN2, whose feature maps are halved without rest: from `image_size` down to 4, or to 7."""
    sizes = resolutions_of(image_size)
    return [size for stage, size in enumerate(sizes) if size * 2**stage == image_size]


def style_layers(image_size: int) -> int:
    """How many layers of StyleGAN2 take a style: two at each resolution."""
    return 2 * len(style_resolutions(image_size))


def _leave_one(latent_dim: int) -> None:
    if latent_dim < 2:
        raise UserError("--net.latent-dim must be at least 2: the last latent number chooses the cluster.")


Output = Literal["linear", "tanh"]


@dataclass(frozen=True)
class DCGANNet(Limited):
    """Sizes of DCGAN's two nets."""

    group: ClassVar[str] = "net"

    latent_dim: Count = 100
    """Length of the latent vector."""
    latent: Literal["normal", "uniform"] = "normal"
    """Latent numbers are standard normal, or uniform in [-1, 1] as in the paper."""
    width: Count = 128
    """Channels of the generator before its last layer; doubled towards the 4 × 4 end."""
    discriminator_width: Count = 128
    """Channels of the discriminator after its first layer; doubled towards the 4 × 4 end."""
    max_channels: Count = 1024
    """Limit of that doubling."""
    kernel_size: Literal[4, 5] = 4
    """Side of the convolution kernels: 5 in the paper; 4 leaves no checkerboard."""
    norm: Literal["spectral", "batch", "none"] = "spectral"
    """Normalization in the discriminator."""


@dataclass(frozen=True)
class CGANNet(DCGANNet):
    """Sizes of the conditional nets, and how they learn which class is wanted."""

    condition: Literal["projection", "concatenation"] = "projection"
    """Conditional batch norm with a projection discriminator, or the class appended to the inputs (Mirza 2014)."""


@dataclass(frozen=True)
class ClusteredNet(DCGANNet):
    """Sizes of nets that tell images without labels apart by clusters."""

    clusters: Annotated[int, *limited(2)] = 40
    """Clusters of the training images, found before the training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _leave_one(self.latent_dim)


@dataclass(frozen=True)
class InfoGANNet(DCGANNet):
    """Sizes of InfoGAN's nets, and of its code."""

    latent_dim: Count = 65
    """Length of the latent vector, standard normal; its last numbers hold the code."""
    latent: Literal["normal"] = "normal"
    categories: Annotated[int, *limited(2, 100, below=False)] = 10
    """Values of the code's category."""
    numbers: CountOrZero = 2
    """Numbers in the code, each in [−1, 1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.latent_dim < self.numbers + 2:
            raise UserError(
                f"--net.latent-dim must be at least {self.numbers + 2}: the code is in its last {self.numbers + 1} "
                "numbers, and one must be left."
            )


@dataclass(frozen=True)
class WGANNet(Limited):
    """Sizes of WGAN-GP's two nets."""

    group: ClassVar[str] = "net"

    latent_dim: Count = 128
    """Length of the latent vector, standard normal."""
    width: Count = 64
    """Channels of the generator before its last layer; doubled towards the 4 × 4 end."""
    discriminator_width: Count = 64
    """Channels of the critic after its first layer; doubled towards the 4 × 4 end."""
    max_channels: Count = 512
    """Limit of that doubling."""
    kernel_size: Literal[4, 5] = 5
    """Side of the convolution kernels."""
    critic_norm: Literal["layer", "none"] = "layer"
    """Normalization in the critic. Batch norm cannot be: the penalty is on the slope at single images."""


@dataclass(frozen=True)
class R3GANNet(Limited):
    """Sizes of R3GAN's two nets, which are mirror images."""

    group: ClassVar[str] = "net"

    latent_dim: Count = 64
    """Length of the latent vector, standard normal."""
    width: Count = 64
    """Channels at full size; doubled towards the 4 × 4 end."""
    max_channels: Count = 512
    """Limit of that doubling."""
    blocks: CountOrZero = 2
    """Residual blocks at each resolution."""
    expansion: Count = 2
    """How many times wider a block is inside."""
    group_size: Count = 16
    """Channels per group of the 3 × 3 convolutions."""
    clusters: CountOrZero = 0
    """Clusters of the training images that stand for classes, found before the training (0: none)."""
    output: Output = "linear"
    """Last operation of the generator: none as in the paper, or tanh, for images with areas of exact black or white."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clusters:
            _leave_one(self.latent_dim)


@dataclass(frozen=True)
class BigGANNet(Limited):
    """Sizes of BigGAN's two nets."""

    group: ClassVar[str] = "net"

    latent_dim: Count = 64
    """Length of the latent vector, standard normal; it is cut into a chunk for each stage."""
    embed_dim: Count = 32
    """Length of the vector that stands for a class."""
    width: Count = 32
    """Channels of the generator at full size; doubled towards the 4 × 4 end."""
    discriminator_width: Count = 32
    """The same of the discriminator."""
    max_channels: Count = 512
    """Limit of that doubling."""
    attention: CountOrZero = 14
    """Resolution in pixels that has self-attention, such as 14 for images of 28 (0, or one that there is not: none)."""


@dataclass(frozen=True)
class StyleGAN2Net(Limited):
    """Sizes of StyleGAN2's two nets."""

    group: ClassVar[str] = "net"

    latent_dim: Count = 64
    """Length of the latent vector z, standard normal."""
    style_dim: Count = 64
    """Length of the vector w that z is mapped to."""
    mapping_layers: Count = 4
    """Dense layers from z to w; 8 in the paper."""
    width: Count = 32
    """Channels of the generator at full size; doubled towards the coarse end."""
    discriminator_width: Count = 32
    """The same of the discriminator."""
    max_channels: Count = 512
    """Limit of that doubling."""
    output: Output = "linear"
    """Last operation of the generator: none as in the paper, or tanh, for images with areas of exact black or white."""


@dataclass(frozen=True)
class TranslatorNet(Limited):
    """Sizes of the translation nets."""

    group: ClassVar[str] = "net"

    width: Count = 64
    """Channels of the generator at full size."""
    blocks: CountOrZero = 9
    """Residual blocks of the generator."""
    downsamplings: CountOrZero = 2
    """Halvings of the image before the residual blocks."""
    outer_kernel: Literal[3, 5, 7] = 7
    """Side of the generator's first and last kernel; the papers' 7 is nearly half of a 16-pixel image."""
    discriminator_width: Count = 64
    """Channels of the patch discriminator after its first layer."""
    discriminator_norm: Literal["instance", "spectral"] = "instance"
    """Normalization in the patch discriminator: instance as in the papers, or spectral, which lets it see classes."""
    patch_layers: CountOrZero = 0
    """Stride-2 layers of the patch discriminator: 1 sees 16 pixels, 2 sees 34, 3 sees 70 (0: by image size)."""
