"""Configuration of face swaps and of their detector. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from torchworks.gans.models.swapping_config import FaceSwapNet
from torchworks.shared.config import Amount, Config, ImageConfig, OptimConfig, Share, UserError, limited

CONSENT = (
    "For images of persons who have agreed to it, for teaching and for the research of detectors. Putting the face of "
    "somebody who has not agreed into an image can do great harm, and is a crime in many countries. Every image made "
    "bears a visible and an invisible mark that say what it is."
)
PAIR = "generated-faces:person=3+generated-faces:person=18"
HALVED = 16
"""What the side of an image is divisible by."""


@dataclass(frozen=True)
class FaceSwapConfig(Config):
    """An autoencoder with one encoder and two decoders. `data` names the two faces: SOURCE+SOURCE.

    For images of persons who have agreed to it. Every image made by a run bears a visible and an invisible mark.
    """

    package: ClassVar[str] = "gans"
    build: ClassVar[str] = "torchworks.gans.swapping.build:build_face_swap"
    known_data: ClassVar[str] = "generated-faces:person=N, folder:PATH or csv:PATH"

    data: str = PAIR
    """Images of face A and of face B, joined by a plus sign, such as folder:A+folder:B: of persons who agreed to it."""
    net: FaceSwapNet = field(default_factory=FaceSwapNet)
    rotation: Annotated[float, *limited(0, 180)] = 10.0
    """Degrees by which training images are turned at most, either way."""
    zoom: Share = 0.05
    """Share by which they are made larger or smaller at most."""
    shift: Share = 0.05
    """Share of the image by which they are moved at most."""
    warp: Amount = 0.06
    """Strength of the random deformation that the net has to undo: standard deviation in shares of half the image."""
    structure: Amount = 0.5
    """Weight of 1 - SSIM beside the mean absolute difference: it is small features, such as eyes, that it counts."""
    betas: Annotated[tuple[float, float], *limited(0, 1)] = (0.5, 0.999)
    """Adam's decay rates."""
    valid_fraction: Share = 0.1
    """Share of the training images of each face by which the best state is chosen."""
    loader: ImageConfig = field(default_factory=lambda: ImageConfig(image_size=64))
    optim: OptimConfig = field(default_factory=OptimConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_images(self.loader)


def check_images(loader: ImageConfig) -> None:
    """Raise `UserError` for images that the nets and marks here cannot be made for."""
    size = loader.image_size
    if size % HALVED or size < 3 * HALVED:
        raise UserError(
            f"--loader.image-size is {size}; faces must be divisible by {HALVED} here and at least {3 * HALVED} "
            "pixels, so that there is room for the marks. Use 64."
        )
    if loader.channels not in (None, 3):
        raise UserError("Faces are swapped in color, and grey images as such. Leave out --loader.channels.")
    if loader.multi_label:
        raise UserError("Faces are swapped without labels. Leave out --multi-label.")
