"""Configuration of a detector of swapped faces. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from torchworks.gans.models.swapping_config import Meso4Net
from torchworks.gans.swapping.config import check_images
from torchworks.shared.config import Config, Count, ImageConfig, Share
from torchworks.shared.options import by_default

LEARNT = "generated-faces:person=3,train=200+generated-faces:person=18,train=200"
UNSEEN = "generated-faces:person=10,train=200+generated-faces:person=11,train=200"


@dataclass(frozen=True)
class SwapDetectorConfig(Config):
    """A net that tells images of swapped faces from others.

    It learns from images of two faces and from swaps of them without marks, as it would only learn the marks otherwise,
    and is tested besides on two other faces, swapped by another net of another seed.
    """

    package: ClassVar[str] = "gans"
    build: ClassVar[str] = "torchworks.gans.detecting.build:build_detector"
    known_data: ClassVar[str] = "generated-faces:person=N, folder:PATH or csv:PATH"

    data: str = LEARNT
    """Images of two faces that are learnt from, joined by a plus sign, such as folder:A+folder:B."""
    unseen: str = UNSEEN
    """Images of two other faces, which only test."""
    run: Annotated[Path | None, by_default("RUN", "one is trained first")] = None
    """A finished run of face-swap on --data, whose swaps are learnt from."""
    unseen_run: Annotated[Path | None, by_default("RUN", "one is trained first")] = None
    """A finished run of face-swap on --unseen."""
    swap_steps: Count = 300
    """Steps of the face swaps that are trained first."""
    net: Meso4Net = field(default_factory=Meso4Net)
    valid_fraction: Share = 0.15
    """Share of the training images by which the best state and the threshold are chosen."""
    loader: ImageConfig = field(default_factory=lambda: ImageConfig(image_size=64))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_images(self.loader)
