"""Configuration of StyleGAN2. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from torchworks.gans.adversarial.config import AdaConfig
from torchworks.gans.models.config import StyleGAN2Net
from torchworks.gans.noise.config import GanConfig
from torchworks.shared.config import Amount, Count, Limited, UserError, limited

LOSSES = ("non-saturating", "hinge")
"""Losses whose logits say by their sign what the discriminator thinks."""


@dataclass(frozen=True)
class StyleConfig(Limited):
    """Regularization of StyleGAN2, done at some steps only ("lazy")."""

    group: ClassVar[str] = "style"

    r1_every: Count = 16
    """Steps between two penalties on the discriminator's slope, `adversarial.r1` (γ), each counted so many times."""
    path_weight: Amount = 2.0
    """Weight of the penalty on uneven path lengths: how far images move as w does (0: none)."""
    path_every: Count = 8
    """Steps between two of these, each counted so many times: 8 in the paper, 4 in its authors' later code."""
    path_decay: Annotated[float, *limited(0, 1)] = 0.99
    """Decay of the mean path length."""
    mixing: Annotated[float, *limited(0, 1, below=False)] = 0.9
    """Share of generated training images whose finer layers have the style of another latent vector."""


@dataclass(frozen=True)
class StyleGAN2Config(GanConfig):
    """StyleGAN2 (Karras et al. 2020) with adaptive augmentation."""

    build: ClassVar[str] = "torchworks.gans.styles.build:build"

    net: StyleGAN2Net = field(default_factory=StyleGAN2Net)
    style: StyleConfig = field(default_factory=StyleConfig)
    ada: AdaConfig = field(default_factory=AdaConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trainer.compile and self.style.path_weight:
            raise UserError(
                "The penalty on path lengths differentiates the generator twice, which compiled nets cannot do in this "
                "version of PyTorch. Leave out --trainer.compile, or set --style.path-weight 0."
            )
        if self.adversarial.loss not in LOSSES:
            raise UserError(
                f"--adversarial.loss is {self.adversarial.loss}, but adaptive augmentation reads from the sign of a "
                f"logit whether an image was taken for real. Use {' or '.join(LOSSES)}."
            )
        if self.adversarial.r2:
            raise UserError(
                "StyleGAN2 penalizes the slope at real images only: leave out --adversarial.r2, or use r3gan."
            )
