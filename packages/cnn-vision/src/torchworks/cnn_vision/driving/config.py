"""What the recipe of driving perception can be told. Imports no torch."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torchworks.cnn_vision.config import POSITIVE, check_ranges
from torchworks.shared.config import Config, ImageConfig, UserError

STRIDE = 32
"""What the size of the images must be a multiple of."""


@dataclass(frozen=True)
class DriveConfig(Config):
    """A net that finds things, says what each pixel is, and how far away."""

    package: ClassVar[str] = "cnn-vision"
    loader: ImageConfig = field(default_factory=ImageConfig)

    weighting: Literal["uncertainty", "equal"] = "uncertainty"
    """How the three losses are added: weighed by what the net learns of its own uncertainty, or as they are."""
    augment: bool = True
    """Shift the colours of training images at random, and mirror them left and right. Zooms would change depths."""
    weight_decay: float = 1e-4
    """Decoupled decay of the weights; norms and biases have none."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.driving.build import drive_experiment

        return drive_experiment(self)


def check_numbers(config: DriveConfig) -> None:
    """Raise `UserError` for a number that makes no sense."""
    check_ranges(config, weight_decay=POSITIVE)
    if config.loader.image_size % STRIDE:
        raise UserError(
            f"--loader.image-size is {config.loader.image_size}, but for this net it must be a multiple of {STRIDE}, "
            "such as 96 or 128."
        )
