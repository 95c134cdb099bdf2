"""Configuration that the recipes of several jobs share. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.shared.config import Amount, Config, ImageConfig, Share, limited

Augmentation = Literal["flip", "alternating-flip", "shift", "affine", "randaugment", "cutout", "brightness", "contrast"]


@dataclass(frozen=True)
class VisionConfig(Config):
    """A net that reads images and predicts classes or labels."""

    package: ClassVar[str] = "cnn-vision"
    known_data: ClassVar[str] = (
        "folder:PATH or csv:PATH; with boxes or masks coco:, voc:, yolo:, masks: or driving:PATH; of defects mvtec:PATH"
    )
    renamed: ClassVar[dict[str, str]] = {"normalise": "normalize"}

    loader: ImageConfig = field(default_factory=ImageConfig)
    model: str = "resnet18"
    """Architecture, such as resnet18 or efficientnet_b0 (`cnn-vision models` prints them), or timm:NAME."""
    pretrained: str = ""
    """Weights to start from: imagenet (a download), or the path of a .safetensors or .pth file."""
    small_images: Literal["auto", "on", "off"] = "auto"
    """The stem for small images, which keeps their resolution; auto takes it below 64 pixels."""
    normalize: Literal["auto", "half", "imagenet"] = "auto"
    """Mean and standard deviation for normalizing the images: half scales pixels to -1 to 1, imagenet is what published
    weights expect; auto takes what the pretrained weights expect, and half without any."""
    freeze: Literal["none", "backbone", "gradual"] = "none"
    """Layers that keep their pretrained weights: backbone trains the classifier alone (a linear probe); gradual
    unfreezes a quarter of the layers at a time, the last ones first, during the first half of the steps."""
    rate_decay: Amount = 1.0
    """Discriminative learning rates: the learning rate of each quarter of the layers, relative to the next quarter."""
    augment: tuple[Augmentation, ...] = ()
    """Random augmentations of the training images. No flip for digits and letters."""
    label_smoothing: Share = 0.0
    """Share of the target spread over all classes (Szegedy et al. 2016)."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: every class has the same weight in the loss, however many images it has."""
    weight_decay: Amount = 0.05
    """Decoupled weight decay, not applied to norms and biases."""
    drop_rate: Annotated[float | None, *limited(0, 1)] = None
    """Dropout before the classifier (default: the architecture's own)."""
    valid_fraction: Share = 0.1
    """Share of the training images held out to select the best state; 0 keeps the last state and trains on all."""
