"""Configuration of the recipes of segmentation. Imports no torch."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from torchworks.shared.config import Amount, Config, ImageConfig, Share, UserError, limited


@dataclass(frozen=True)
class SegmentConfig(Config):
    """A net that predicts a class for each pixel."""

    package: ClassVar[str] = "cnn-vision"
    build: ClassVar[str] = "torchworks.cnn_vision.segmentation.build:build"
    renamed: ClassVar[dict[str, str]] = {"colours": "colors"}

    loader: ImageConfig = field(default_factory=ImageConfig)
    model: str = "unet"
    """Architecture: unet, deeplabv3_resnet20, deeplabv3_mobilenet_v3_large, deeplabv3_resnet50 or _resnet101."""
    width: Annotated[int | None, *limited(1, 1024, below=False)] = None
    """Channels of unet at the full size (default: the paper's 64)."""
    depth: Annotated[int | None, *limited(1, 8, below=False)] = None
    """Number of times that unet halves its map (default: the paper's 4)."""
    pretrained: str = ""
    """Weights to start from: coco (a download; the DeepLabs on published backbones), the path of a .safetensors or .pth
    file, or the directory of a run."""
    dice_weight: Amount = 1.0
    """Weight of the soft Dice loss relative to the cross-entropy."""
    aux_weight: Amount = 0.4
    """Weight of the loss of the auxiliary head, which reads an inner map in training."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: every class has the same weight in the cross-entropy, however many pixels it has."""
    augment: bool = True
    """Augment the training images: zoom, position and proportions."""
    colors: bool = True
    """Augment their colors too. Not where color identifies the classes, as stains do."""
    flip: bool = False
    """Also flip them left and right. Not for digits and letters."""
    weight_decay: Amount = 1e-4
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.1
    """Share of the training images held out to select the best state; 0 keeps the last state and trains on all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model != "unet" and (self.width or self.depth):
            raise UserError(f"--width and --depth apply to unet only; remove them for {self.model}.")


def net_options(config: SegmentConfig) -> dict[str, Any]:
    """Options of the net besides classes and channels."""
    given = {"aux_loss": True, "width": config.width, "depth": config.depth}
    return {name: value for name, value in given.items() if value is not None}
