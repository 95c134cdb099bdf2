"""Configuration of the recipe of driving perception. Imports no torch."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.shared.config import Amount, Config, ImageConfig, UserError

STRIDE = 32
"""The size of the images is a multiple of this."""


@dataclass(frozen=True)
class DriveConfig(Config):
    """A net that predicts boxes of things, a class for each pixel, and depth."""

    package: ClassVar[str] = "cnn-vision"
    build: ClassVar[str] = "torchworks.cnn_vision.driving.build:build"

    loader: ImageConfig = field(default_factory=ImageConfig)
    weighting: Literal["uncertainty", "equal"] = "uncertainty"
    """Weights of the three losses: by the uncertainty that the net learns of each task, or equal."""
    augment: bool = True
    """Augment the training images: colors, and left-right flips. Zooms would change depths."""
    weight_decay: Amount = 1e-4
    """Decoupled weight decay, not applied to norms and biases."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loader.image_size % STRIDE:
            raise UserError(
                f"--loader.image-size is {self.loader.image_size}, but for this net it must be a multiple of {STRIDE}, "
                "such as 96 or 128."
            )
