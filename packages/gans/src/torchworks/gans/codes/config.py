"""Configuration of InfoGAN. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.gans.models.config import InfoGANNet
from torchworks.gans.noise.config import GanConfig
from torchworks.shared.config import Amount, Limited, UserError

LOSSES = ("hinge", "non-saturating", "least-squares", "wasserstein")


@dataclass(frozen=True)
class InformationConfig(Limited):
    """Weights of the mutual information between the code and the image."""

    group: ClassVar[str] = "information"

    category: Amount = 1.0
    """Weight of the category's information, in nats (λ; 1 in the paper)."""
    numbers: Amount = 0.1
    """Weight of the numbers' information (0.1 in the paper)."""


@dataclass(frozen=True)
class InfoGANConfig(GanConfig):
    """InfoGAN (Chen et al. 2016)."""

    build: ClassVar[str] = "torchworks.gans.codes.build:build"

    net: InfoGANNet = field(default_factory=InfoGANNet)
    information: InformationConfig = field(default_factory=InformationConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        game = self.adversarial
        if game.loss not in LOSSES or game.r1 or game.r2:
            raise UserError(
                "The recipe infogan plays without penalties and without comparing images: leave out --adversarial.r1 "
                f"and --adversarial.r2, and choose --adversarial.loss from {', '.join(LOSSES)}."
            )
