"""Configuration of few-step drawing. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.diffusion.images.config import UNetImagesConfig
from torchworks.shared.config import Amount, Count, CountOrZero, Limited, Positive, UserError, limited


@dataclass(frozen=True)
class TeacherConfig(Limited):
    """The model that is learnt from."""

    group: ClassVar[str] = "teacher"

    run: str = ""
    """Run directory of a trained flow model of these images, which the net is then as large as; without it one is
    trained first, as by the recipe flow, and once more by a resumed run."""
    steps: CountOrZero = 2500
    """Its training steps, if it is trained first."""
    batch_size: Count = 32
    """Images of each of them."""
    lr: Positive = 2e-3
    """Its learning rate, which falls to 0 in a line."""


@dataclass(frozen=True)
class PairsConfig(Limited):
    """Noise and the images that the teacher makes of it, from which the model learns."""

    group: ClassVar[str] = "pairs"

    count: Count = 4096
    """How many are drawn, once."""
    sampler: Literal["euler", "heun", "ab2", "dpmpp-2m", "unipc"] = "ab2"
    """Method by which the teacher draws."""
    steps: Count = 6
    """Number of its steps."""
    guidance: Amount = 1.2
    """How much more than the class asks for the teacher does; the model learns it with the rest, at no cost when it
    draws."""


@dataclass(frozen=True)
class FewStepConfig(UNetImagesConfig):
    """A diffusion model that draws in a few steps, even in one."""

    build: ClassVar[str] = "torchworks.diffusion.few_step.build:build"
    own_noise: ClassVar[bool] = False

    at_noise: Annotated[float, *limited(0, 1, below=False)] = 0.75
    """Share of training problems that are noise alone, which is all that one step sees; the others lie between noise
    and image, and serve further steps."""
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.process.path, self.process.prediction) != ("flow", "flow"):
            raise UserError(
                "A model that draws in a few steps goes from noise to image in a straight line, so its path and its "
                "prediction are flow. Leave out --process.path and --process.prediction."
            )
