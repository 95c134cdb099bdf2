"""What the recipes of segmentation can be told. Imports no torch."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torchworks.cnn_vision.config import POSITIVE, SHARE, check_ranges
from torchworks.shared.config import Config, ImageConfig, UserError


@dataclass(frozen=True)
class SegmentConfig(Config):
    """A net that gives each pixel a class."""

    package: ClassVar[str] = "cnn-vision"
    loader: ImageConfig = field(default_factory=ImageConfig)

    model: str = "unet"
    """Architecture: unet, deeplabv3_resnet20, deeplabv3_mobilenet_v3_large, deeplabv3_resnet50 or _resnet101."""
    width: int | None = None
    """Channels of unet at the full size (default: the paper's 64)."""
    depth: int | None = None
    """How often unet halves its map (default: the paper's 4)."""
    pretrained: str = ""
    """Weights to start from: coco (a download; the DeepLabs on published backbones), the path of a .safetensors or .pth
    file, or the directory of a run."""
    dice_weight: float = 1.0
    """What soft Dice counts beside the cross-entropy."""
    aux_weight: float = 0.4
    """What the loss of the auxiliary head counts, which reads an inner map in training."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: a class counts in the cross-entropy as if all had as many pixels."""
    augment: bool = True
    """Change training images at random: zoom, place and proportions."""
    colours: bool = True
    """Change their colours too. Not where colour is what tells the classes apart, as stains do."""
    flip: bool = False
    """Mirror them left and right too. Not for digits and letters."""
    weight_decay: float = 1e-4
    """Decoupled decay of the weights; norms and biases have none."""
    valid_fraction: float = 0.1
    """Share of the training images that chooses the best state; 0 keeps the last state and trains on all."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.segmentation.build import segment_experiment

        return segment_experiment(self)


def check_numbers(config: SegmentConfig) -> None:
    """Raise `UserError` for a number that makes no sense."""
    check_ranges(
        config,
        dice_weight=POSITIVE,
        aux_weight=POSITIVE,
        weight_decay=POSITIVE,
        valid_fraction=SHARE,
        width=(1, 1025),
        depth=(1, 9),
    )
    if config.model != "unet" and (config.width or config.depth):
        raise UserError(f"--width and --depth are unet's; {config.model} is as it is. Leave them out.")


def net_options(config: SegmentConfig) -> dict[str, Any]:
    """What the builder of the net is told besides classes and channels."""
    given = {"aux_loss": True, "width": config.width, "depth": config.depth}
    return {name: value for name, value in given.items() if value is not None}
