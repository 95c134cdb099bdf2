"""Configuration of images enlarged. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from torchworks.gans.adversarial.config import DoctorConfig
from torchworks.gans.models.enlarger_config import EnlargingDiscriminatorNet, RRDBNetNet, SRResNetNet
from torchworks.shared.config import (
    Amount,
    Config,
    Count,
    CountOrZero,
    ImageConfig,
    Limited,
    Share,
    UserError,
    limited,
)
from torchworks.shared.options import by_default

STEP = 8
"""What the side of a crop is divisible by: the U-Net halves it three times."""


@dataclass(frozen=True)
class EnlargingConfig(Config):
    """A net that enlarges images, trained on pieces of photographs and what was made smaller of them."""

    package: ClassVar[str] = "gans"
    build: ClassVar[str] = "torchworks.gans.enlarging.build:build"
    known_data: ClassVar[str] = "photo-crops, photo-crops:FOLDER, folder:PATH or csv:PATH"

    data: str = "photo-crops"
    """Where the images come from: photo-crops (bundled photographs), photo-crops:FOLDER (your own at their own
    resolution), or any other source of images, which resizes them first."""
    factor: Literal[2, 4] = 4
    """How many times wider and higher an enlarged image is."""
    degradation: Literal["bicubic", "second-order"] = "bicubic"
    """What is made of a photograph for the net to enlarge: bicubic reduction alone, or blur, noise and JPEG, twice."""
    crop: Count = 96
    """Side in pixels of what is cut from each training piece for a step."""
    net: Any = field(default_factory=SRResNetNet)
    """Sizes of the net."""
    start: Annotated[Path | None, by_default("PATH", "new weights")] = None
    """Weights to start from: a finished run of a net of the same sizes, or a safetensors file, such as ESRGAN's."""
    pixel_loss: Literal["l1", "mse"] = "l1"
    """Mean absolute or mean squared difference of pixels."""
    betas: Annotated[tuple[float, float], *limited(0, 1)] = (0.9, 0.99)
    """Adam's decay rates."""
    valid_fraction: Share = 0.1
    """Share of the training images of other sources than photo-crops by which the best state is chosen."""
    loader: ImageConfig = field(default_factory=lambda: ImageConfig(image_size=128))

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.loader.image_size
        if self.crop % STEP or not 32 <= self.crop <= size:
            raise UserError(
                f"--crop is {self.crop}; it must be divisible by {STEP}, at least 32, and at most --loader.image-size, "
                f"{size} pixels."
            )
        if size % STEP:
            raise UserError(f"--loader.image-size is {size}; pieces must be divisible by {STEP} here. Use 128.")
        if self.loader.multi_label:
            raise UserError("A net that enlarges learns from images alone. Leave out --multi-label.")
        if self.loader.channels not in (None, 3):
            raise UserError("A net that enlarges sees color, and grey images as such. Leave out --loader.channels.")


@dataclass(frozen=True)
class SRResNetConfig(EnlargingConfig):
    """SRResNet (Ledig et al. 2017)."""

    net: SRResNetNet = field(default_factory=SRResNetNet)


@dataclass(frozen=True)
class PerceptualConfig(Limited):
    """What of the images' features must agree."""

    group: ClassVar[str] = "perceptual"

    weight: Amount = 1.0
    """Of the distance in features of the net below."""
    weights: Annotated[Path | None, by_default("FILE", "features learnt from the training images")] = None
    """VGG-19's weights as torchvision names them, a safetensors file; without, k-means over patches of the training
    images."""


@dataclass(frozen=True)
class EnlargingGanConfig(EnlargingConfig):
    """A net that enlarges, first trained by pixels and then against a discriminator."""

    doctor: DoctorConfig = field(default_factory=DoctorConfig)
    discriminator: EnlargingDiscriminatorNet = field(default_factory=EnlargingDiscriminatorNet)
    perceptual: PerceptualConfig = field(default_factory=PerceptualConfig)
    pretrain_steps: CountOrZero = 1000
    """Steps by pixels alone, before the discriminator joins; they count among --trainer.steps."""
    pixel_weight: Amount = 1.0
    """Of the difference of pixels, once the discriminator has joined."""
    adversarial_weight: Amount = 0.1
    """Of the discriminator's judgement."""
    adversarial_loss: Literal["non-saturating", "relativistic-average"] = "non-saturating"
    """Whether an image looks real (SRGAN), or more so than the mean of the others (ESRGAN)."""


@dataclass(frozen=True)
class SRGANConfig(EnlargingGanConfig):
    """SRGAN (Ledig et al. 2017)."""

    net: SRResNetNet = field(default_factory=SRResNetNet)


@dataclass(frozen=True)
class ESRGANConfig(EnlargingGanConfig):
    """ESRGAN (Wang et al. 2018)."""

    net: RRDBNetNet = field(default_factory=RRDBNetNet)
