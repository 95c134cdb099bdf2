"""What the recipes of detection can be told. Imports no torch."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torchworks.cnn_vision.config import POSITIVE, SHARE, check_ranges
from torchworks.cnn_vision.models.dense import list_detectors
from torchworks.shared.config import Config, ImageConfig, UserError, nearest

Change = Literal["crop", "flip", "colour"]
STRIDE, SMALLEST = 32, 64
"""What the side of images must be a multiple of, and at least, in pixels."""


@dataclass(frozen=True)
class DetectorConfig(Config):
    """A net that finds objects in images."""

    package: ClassVar[str] = "cnn-vision"
    loader: ImageConfig = field(default_factory=ImageConfig)

    model: str = "yolo_resnet20"
    """Detector: yolo_, ssd_, fasterrcnn_ and maskrcnn_ with resnet20 are for images of about 100 pixels; yolo_resnet50,
    ssd300_vgg16, fasterrcnn_resnet50_fpn and maskrcnn_resnet50_fpn for larger ones."""
    pretrained: str = ""
    """Weights to start from: coco (a download, of those that torchvision has), a run, or a file of weights."""
    normalise: Literal["auto", "half", "imagenet"] = "auto"
    """Mean and spread of the pixels that the net sees: half makes them -1 to 1; auto takes what the pretrained weights
    expect, and half without any."""
    augment: tuple[Change, ...] = ()
    """Random changes of the training images: crop (also shrinks, moves and stretches), flip (left and right; not for
    digits and letters), colour."""
    weight_decay: float = 0.05
    """Decoupled decay of the weights; norms and biases have none."""
    valid_fraction: float = 0.1
    """Share of the training images that chooses the best state; 0 keeps the last state and trains on all."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.detection.build import detector_experiment

        return detector_experiment(self)


def check_config(config: DetectorConfig) -> None:
    """Raise `UserError` for a net that there is not, or a number that makes no sense."""
    check_ranges(config, weight_decay=POSITIVE, valid_fraction=SHARE)
    if config.model not in list_detectors():
        known = list_detectors()
        raise UserError(
            f"There is no detector '{config.model}'.{nearest(config.model, known)} Known: {', '.join(known)}."
        )
    size = config.loader.image_size
    if size % STRIDE or size < SMALLEST:
        raise UserError(
            f"--loader.image-size is {size}, but detectors need a multiple of {STRIDE}, from {SMALLEST} on."
        )
