"""Configuration of diffusion on pixels. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from torchworks.diffusion.models.config import DiTConfig, UNetConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig, check_strategy
from torchworks.shared.config import Amount, Config, Count, ImageConfig, Share, UserError, limited


@dataclass(frozen=True)
class PixelsConfig(Config):
    """What all diffusion models of pixels have."""

    package: ClassVar[str] = "diffusion"
    channels_last_on_cpu: ClassVar[bool] = False

    weight_decay: Amount = 0.0
    """Decoupled weight decay, not applied to biases and norms."""
    betas: Annotated[tuple[float, float], *limited(0, 1)] = (0.9, 0.99)
    """AdamW's decay rates."""
    muon_lr: Amount = 0.0
    """Learning rate of Muon for the matrices and kernels between the first and the last layer; AdamW trains the rest
    with --optim.lr. 0: AdamW trains all."""
    most_drawn: Count = 720
    """Most images that an evaluation during training draws to select the best state."""
    net: Any = field(default_factory=UNetConfig)
    """Sizes of the net."""
    process: ProcessConfig = field(default_factory=ProcessConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    loader: ImageConfig = field(default_factory=ImageConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_strategy(self.muon_lr, self.trainer)
        if self.loader.multi_label:
            raise UserError(
                "These models take one class for each image, not a set of them. Leave out --multi-label: each set of "
                "labels is then a class of its own."
            )


@dataclass(frozen=True)
class ImagesConfig(PixelsConfig):
    """A diffusion model of pixels that draws images from noise alone."""

    build: ClassVar[str] = "torchworks.diffusion.images.build:build"
    own_noise: ClassVar[bool] = True
    """Whether training adds any noise to any image, so that there is a loss of images at each level of noise."""

    conditional: bool = True
    """Whether the model learns to draw a class that is asked for; data without classes need --no-conditional."""
    class_dropout: Share = 0.1
    """Share of training images whose class the net is not told, so that guidance is possible."""


@dataclass(frozen=True)
class UNetImagesConfig(ImagesConfig):
    """A diffusion model of pixels, a U-Net."""

    net: UNetConfig = field(default_factory=UNetConfig)


@dataclass(frozen=True)
class DiTImagesConfig(ImagesConfig):
    """A diffusion model of pixels, a Transformer."""

    convolutional: ClassVar[bool] = False

    net: DiTConfig = field(default_factory=DiTConfig)
