"""Configuration of Wasserstein GANs. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.gans.models.config import WGANNet
from torchworks.gans.noise.config import GanConfig
from torchworks.shared.config import Amount, Limited, UserError


@dataclass(frozen=True)
class WassersteinConfig(Limited):
    """What keeps the critic from being too steep; one of the two."""

    group: ClassVar[str] = "wasserstein"

    penalty: Amount = 10.0
    """λ of the penalty on the critic's slope between real and generated images, λ · (‖∇D‖ − 1)² (0: none)."""
    clip: Amount = 0.0
    """Limit of each of the critic's weights, which are clipped after each step, as in the older WGAN (0: not)."""


@dataclass(frozen=True)
class WGANConfig(GanConfig):
    """WGAN-GP (Gulrajani et al. 2017)."""

    build: ClassVar[str] = "torchworks.gans.wasserstein.build:build"

    net: WGANNet = field(default_factory=WGANNet)
    wasserstein: WassersteinConfig = field(default_factory=WassersteinConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        bounds, game = self.wasserstein, self.adversarial
        if bool(bounds.penalty) == bool(bounds.clip):
            both = "both are set" if bounds.penalty else "neither is"
            raise UserError(
                "A Wasserstein critic is kept from being too steep by --wasserstein.penalty or by --wasserstein.clip, "
                f"and {both}. Set one of them to 0 and the other not."
            )
        if self.trainer.compile and bounds.penalty:
            raise UserError(
                "The gradient penalty differentiates the critic twice, which compiled nets cannot do in this version "
                "of PyTorch. Leave out --trainer.compile."
            )
        if game.loss != "wasserstein" or game.r1 or game.r2:
            raise UserError(
                "This recipe's critic estimates the Wasserstein distance: leave out --adversarial.loss, "
                "--adversarial.r1 and --adversarial.r2, or use the recipe dcgan or r3gan."
            )
