"""Configuration of the recipes of detection. Imports no torch."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.cnn_vision.models.dense import list_detectors
from torchworks.shared.config import Amount, Config, ImageConfig, Share, UserError, nearest

STRIDE, SMALLEST = 32, 64
"""Images have sides, in pixels, that are a multiple of the first and at least the second."""


@dataclass(frozen=True)
class DetectorConfig(Config):
    """A net that detects objects in images."""

    package: ClassVar[str] = "cnn-vision"
    build: ClassVar[str] = "torchworks.cnn_vision.detection.build:build"
    renamed: ClassVar[dict[str, str]] = {"normalise": "normalize"}
    renamed_values: ClassVar[dict[str, dict[str, str]]] = {"augment": {"colour": "color"}}

    loader: ImageConfig = field(default_factory=lambda: ImageConfig(image_size=96))
    model: str = "yolo_resnet20"
    """Detector: yolo_, ssd_, fasterrcnn_ and maskrcnn_ with resnet20 are for images of about 100 pixels; yolo_resnet50,
    ssd300_vgg16, fasterrcnn_resnet50_fpn and maskrcnn_resnet50_fpn for larger ones."""
    pretrained: str = ""
    """Weights to start from: coco (a download; not for YOLOs and nets with resnet20), a run, or a file of weights."""
    normalize: Literal["auto", "half", "imagenet"] = "auto"
    """Mean and standard deviation for normalizing the images: half scales pixels to -1 to 1; auto takes what the
    pretrained weights expect, and half without any."""
    augment: tuple[Literal["crop", "flip", "color"], ...] = ()
    """Random augmentations of the training images: crop (also shrinks, moves and stretches), flip (left and right; not
    for digits and letters), color."""
    weight_decay: Amount = 0.05
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.1
    """Share of the training images held out to select the best state; 0 keeps the last state and trains on all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model not in (known := list_detectors()):
            raise UserError(
                f"There is no detector '{self.model}'.{nearest(self.model, known)} Known: {', '.join(known)}."
            )
        size = self.loader.image_size
        if size % STRIDE or size < SMALLEST:
            raise UserError(
                f"--loader.image-size is {size}, but detectors need a multiple of {STRIDE}, at least {SMALLEST}."
            )
