"""Configuration of images from noise. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torchworks.gans.adversarial.config import AdversarialConfig, AdversarialTraining
from torchworks.gans.models.config import CGANNet, ClusteredNet, DCGANNet, R3GANNet
from torchworks.shared.config import UserError


@dataclass(frozen=True)
class GanConfig(AdversarialTraining):
    """A generator of images from noise."""

    build: ClassVar[str] = "torchworks.gans.noise.build:build"

    net: Any = field(default_factory=DCGANNet)
    """Sizes of the networks."""
    adversarial: AdversarialConfig = field(default_factory=AdversarialConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trainer.compile and (self.adversarial.r1 or self.adversarial.r2):
            raise UserError(
                "Gradient penalties differentiate the discriminator twice, which compiled nets cannot do in this "
                "version of PyTorch. Leave out --trainer.compile, or set --adversarial.r1 0 --adversarial.r2 0."
            )


@dataclass(frozen=True)
class DCGANConfig(GanConfig):
    """DCGAN (Radford et al. 2015)."""

    net: DCGANNet = field(default_factory=DCGANNet)


@dataclass(frozen=True)
class CGANConfig(GanConfig):
    """Conditional GAN (Miyato & Koyama 2018; Mirza & Osindero 2014)."""

    net: CGANNet = field(default_factory=CGANNet)


@dataclass(frozen=True)
class ClusteredConfig(GanConfig):
    """Conditional GAN of clusters in place of classes (Sage et al. 2018)."""

    net: ClusteredNet = field(default_factory=ClusteredNet)


@dataclass(frozen=True)
class R3GANConfig(GanConfig):
    """R3GAN (Huang et al. 2024)."""

    net: R3GANNet = field(default_factory=R3GANNet)
