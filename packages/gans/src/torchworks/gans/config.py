"""What the recipes of this package can be told: frozen dataclasses. Imports no torch, so that `--help` is quick."""

import math
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Literal

from torchworks.shared.config import Config, ImageConfig, UserError

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


_MAY_BE_ZERO = ("blocks", "downsamplings", "patch_layers", "rollbacks", "pool_size")


def check_numbers(config: Any, path: str = "") -> None:
    """Raise `UserError` for a number of this package's own settings that makes no sense: a count below 1 (or 0), a
    weight that is negative or not finite, a decay rate outside of [0, 1)."""
    general = {item.name for item in fields(Config)}
    for item in fields(config):
        if not path and item.name in general:
            continue
        name, value = f"{path}{item.name}".replace("_", "-"), getattr(config, item.name)
        if is_dataclass(value):
            check_numbers(value, f"{name}.")
        elif rule := _broken_rule(item.name, value):
            raise UserError(f"--{name} must be {rule}, but it is {value}.")


def _broken_rule(name: str, value: Any) -> str:
    """What a setting ought to be; empty if it is."""
    if name == "betas":
        return "" if all(0 <= beta < 1 for beta in value) else "two numbers from 0 to below 1"
    if isinstance(value, float):
        if name == "discriminator_lr":
            return "" if 0 < value < math.inf else "above 0 and finite"
        return "" if 0 <= value < math.inf else "at least 0 and finite"
    if isinstance(value, int) and not isinstance(value, bool):
        least = 0 if name in _MAY_BE_ZERO else 1
        return "" if value >= least else f"at least {least}"
    return ""


@dataclass(frozen=True)
class DCGANNet:
    """Sizes of DCGAN's two nets."""

    latent_dim: int = 100
    """Length of the latent vector."""
    latent: Literal["normal", "uniform"] = "normal"
    """Latent numbers are standard normal, or uniform in [-1, 1] as in the paper."""
    width: int = 128
    """Channels of the generator before its last layer; doubled towards the 4 × 4 end."""
    discriminator_width: int = 128
    """Channels of the discriminator after its first layer; doubled towards the 4 × 4 end."""
    max_channels: int = 1024
    """Limit of that doubling."""
    kernel_size: Literal[4, 5] = 4
    """Side of the convolution kernels: 5 in the paper; 4 leaves no checkerboard."""
    norm: Literal["spectral", "batch", "none"] = "spectral"
    """Normalisation in the discriminator."""


@dataclass(frozen=True)
class CGANNet(DCGANNet):
    """Sizes of the conditional nets, and how they learn which class is wanted."""

    condition: Literal["projection", "concatenation"] = "projection"
    """Conditional batch norm with a projection discriminator, or the class appended to the inputs (Mirza 2014)."""


@dataclass(frozen=True)
class R3GANNet:
    """Sizes of R3GAN's two nets, which are mirror images."""

    latent_dim: int = 64
    """Length of the latent vector, standard normal."""
    width: int = 64
    """Channels at full size; doubled towards the 4 × 4 end."""
    max_channels: int = 512
    """Limit of that doubling."""
    blocks: int = 2
    """Residual blocks at each resolution."""
    expansion: int = 2
    """How many times wider a block is inside."""
    group_size: int = 16
    """Channels per group of the 3 × 3 convolutions."""


@dataclass(frozen=True)
class AdversarialConfig:
    """The game between the two nets."""

    loss: Literal["hinge", "non-saturating", "least-squares", "wasserstein", "relativistic"] = "hinge"
    """What the players minimise."""
    r1: float = 0.0
    """γ of the penalty on the discriminator's slope at real images (loss + γ/2 · ‖∇D‖²)."""
    r2: float = 0.0
    """The same at generated images."""
    discriminator_steps: int = 1
    """Discriminator steps per generator step."""
    discriminator_lr: float = 1.0
    """Learning rate of the discriminator as a multiple of `optim.lr`."""
    betas: tuple[float, float] = (0.0, 0.9)
    """Adam's decay rates."""
    augment: tuple[Literal["color", "translation", "cutout"], ...] = ()
    """Differentiable augmentation of what the discriminator sees, in both players' steps."""


@dataclass(frozen=True)
class DoctorConfig:
    """The training doctor: it names collapse, a discriminator that won, divergence and oscillation."""

    may: Literal["off", "warn", "rollback", "stop"] = "stop"
    """How far it may go: say what is wrong, also return to the best state when that lasts, also stop in the end."""
    patience: int = 10
    """How long a sign must last before it is named: blocks of 20 steps, or of a log interval if that is longer."""
    rollbacks: int = 2
    """Returns to the best state before it gives up."""


@dataclass(frozen=True)
class GanConfig(Config):
    """A generator of images from noise."""

    package: ClassVar[str] = "gans"
    build: ClassVar[str] = "torchworks.gans.noise.build:build"

    loader: ImageConfig = field(default_factory=ImageConfig)
    net: Any = field(default_factory=DCGANNet)
    """Sizes of the networks."""
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)
    doctor: DoctorConfig = field(default_factory=DoctorConfig)


@dataclass(frozen=True)
class DCGANConfig(GanConfig):
    """DCGAN (Radford et al. 2015)."""

    net: DCGANNet = field(default_factory=DCGANNet)


@dataclass(frozen=True)
class CGANConfig(GanConfig):
    """Conditional GAN (Miyato & Koyama 2018; Mirza & Osindero 2014)."""

    net: CGANNet = field(default_factory=CGANNet)


@dataclass(frozen=True)
class R3GANConfig(GanConfig):
    """R3GAN (Huang et al. 2024)."""

    net: R3GANNet = field(default_factory=R3GANNet)


@dataclass(frozen=True)
class TranslatorNet:
    """Sizes of the translation nets."""

    width: int = 64
    """Channels of the generator at full size."""
    blocks: int = 9
    """Residual blocks of the generator."""
    downsamplings: int = 2
    """Halvings of the image before the residual blocks."""
    outer_kernel: Literal[3, 5, 7] = 7
    """Side of the generator's first and last kernel; the papers' 7 is nearly half of a 16-pixel image."""
    discriminator_width: int = 64
    """Channels of the patch discriminator after its first layer."""
    discriminator_norm: Literal["instance", "spectral"] = "instance"
    """Normalisation in the patch discriminator: instance as in the papers, or spectral, which lets it see classes."""
    patch_layers: int = 0
    """Stride-2 layers of the patch discriminator: 1 sees 16 pixels, 2 sees 34, 3 sees 70 (0: by image size)."""


@dataclass(frozen=True)
class TranslationConfig(Config):
    """A translator from one kind of image to another."""

    package: ClassVar[str] = "gans"

    loader: ImageConfig = field(default_factory=ImageConfig)
    net: TranslatorNet = field(default_factory=TranslatorNet)
    betas: tuple[float, float] = (0.5, 0.999)
    """Adam's decay rates."""
    doctor: DoctorConfig = field(default_factory=DoctorConfig)


@dataclass(frozen=True)
class CycleGANConfig(TranslationConfig):
    """CycleGAN (Zhu et al. 2017). `data` names the two domains: SOURCE+SOURCE."""

    build: ClassVar[str] = "torchworks.gans.translation.build:build_cyclegan"

    data: str = "digits+printed-digits"
    """The two domains, joined by a plus sign, such as digits+printed-digits or folder:A+folder:B."""
    cycle_weight: float = 10.0
    """λ: weight of coming back to the image one started from."""
    identity_weight: float = 5.0
    """Weight of leaving images of the target domain as they are (the paper: 0.5 λ)."""
    pool_size: int = 50
    """Earlier translations kept to show the discriminators; 0 shows them only the newest."""
    use_labels: bool = True
    """Tell the discriminators the class of each image, if both domains have the same classes. Without, nothing says
    which class is to become which."""


@dataclass(frozen=True)
class Pix2PixConfig(TranslationConfig):
    """pix2pix (Isola et al. 2017). `data` is a folder with sub-folders A and B that hold pairs under equal names;
    or any source of images, from which the inputs are made as `pair` says."""

    build: ClassVar[str] = "torchworks.gans.translation.build:build_pix2pix"

    pair: Literal["outline", "blur"] = "outline"
    """How an input is made from an image when the data are no pairs: its outline, or its blur to a quarter."""
    l1_weight: float = 100.0
    """λ: weight of the mean absolute difference from the wanted image."""


def check(config: GanConfig | TranslationConfig) -> None:
    check_numbers(config)
    stages_of(config.loader.image_size)
    if config.loader.multi_label:
        raise UserError(
            "Generators take one class for each image, not a set of them. Leave out --multi-label: each set of labels "
            "is then a class of its own."
        )
    if config.trainer.compile and isinstance(config, GanConfig) and (config.adversarial.r1 or config.adversarial.r2):
        raise UserError(
            "Gradient penalties differentiate the discriminator twice, which compiled nets cannot do in this version "
            "of PyTorch. Leave out --trainer.compile, or set --adversarial.r1 0 --adversarial.r2 0."
        )
