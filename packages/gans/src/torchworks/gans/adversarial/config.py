"""Configuration that every adversarial training has: the game between the nets, and the doctor that watches it."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.gans.models.config import resolutions_of
from torchworks.shared.config import (
    Amount,
    Config,
    Count,
    CountOrZero,
    ImageConfig,
    Limited,
    Positive,
    UserError,
    limited,
)


@dataclass(frozen=True)
class AdversarialConfig(Limited):
    """The game between the two nets."""

    group: ClassVar[str] = "adversarial"

    loss: Literal["hinge", "non-saturating", "least-squares", "wasserstein", "relativistic"] = "hinge"
    """What the players minimize."""
    r1: Amount = 0.0
    """γ of the penalty on the discriminator's slope at real images (loss + γ/2 · ‖∇D‖²)."""
    r2: Amount = 0.0
    """The same at generated images."""
    discriminator_steps: Count = 1
    """Discriminator steps per generator step."""
    discriminator_lr: Positive = 1.0
    """Learning rate of the discriminator as a multiple of `optim.lr`."""
    betas: Annotated[tuple[float, float], *limited(0, 1)] = (0.0, 0.9)
    """Adam's decay rates."""
    augment: tuple[Literal["color", "translation", "cutout"], ...] = ()
    """Differentiable augmentation of what the discriminator sees, in both players' steps."""
    reuse: bool = False
    """Whether the generator learns by the images that the discriminator has just seen, which saves drawing others."""


@dataclass(frozen=True)
class AdaConfig(Limited):
    """Adaptive augmentation of what the discriminator sees (Karras et al. 2020)."""

    group: ClassVar[str] = "ada"

    target: Annotated[float, *limited(0, 1)] = 0.6
    """How sure of training images the discriminator is to be, E[sign D(x)]; p rises where it is surer (0: p stays)."""
    p: Annotated[float, *limited(0, 1, below=False)] = 0.0
    """Probability of each change at the start."""
    images: Count = 500_000
    """Training images in which p can go from 0 to 1."""
    every: Count = 4
    """Steps between two changes of p."""
    kinds: tuple[Literal["blit", "geometric", "color"], ...] = ("blit", "geometric", "color")
    """Kinds of change: mirroring, quarter turns and shifts; scaling and turning; brightness, contrast and colors."""


@dataclass(frozen=True)
class DoctorConfig(Limited):
    """The training doctor: it names collapse, a discriminator that won, divergence and oscillation."""

    group: ClassVar[str] = "doctor"

    may: Literal["off", "warn", "rollback", "stop"] = "stop"
    """How far it may go: say what is wrong, also return to the best state when that lasts, also stop in the end."""
    patience: Count = 10
    """How long a sign must last before it is named: blocks of 20 steps, or of a log interval if that is longer."""
    rollbacks: CountOrZero = 2
    """Returns to the best state before it gives up."""


@dataclass(frozen=True)
class AdversarialTraining(Config):
    """What every recipe of this package has."""

    package: ClassVar[str] = "gans"

    loader: ImageConfig = field(default_factory=ImageConfig)
    doctor: DoctorConfig = field(default_factory=DoctorConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        resolutions_of(self.loader.image_size)
        if self.loader.multi_label:
            raise UserError(
                "Generators take one class for each image, not a set of them. Leave out --multi-label: each set of "
                "labels is then a class of its own."
            )
