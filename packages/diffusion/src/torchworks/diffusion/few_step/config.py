"""Configuration of few-step drawing. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.diffusion.images.config import UNetImagesConfig
from torchworks.shared.config import Limited


@dataclass(frozen=True)
class TeacherConfig(Limited):
    """The model that is learnt from."""

    group: ClassVar[str] = "teacher"

    run: str = ""
    """Run directory of a model that draws pixels by flow matching; none: one is trained first, as the recipe flow
    does."""


@dataclass(frozen=True)
class FewStepConfig(UNetImagesConfig):
    """A model that draws in a few steps."""

    build: ClassVar[str] = "torchworks.diffusion.few_step.build:build"

    teacher: TeacherConfig = field(default_factory=TeacherConfig)
