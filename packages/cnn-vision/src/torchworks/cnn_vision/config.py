"""What the recipes of this package can be told: frozen dataclasses. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torchworks.shared.config import Config, UserError

Change = Literal["flip", "shift", "affine", "cutout", "brightness", "contrast"]


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """A classifier of images."""

    package: ClassVar[str] = "cnn-vision"

    model: str = "resnet18"
    """Architecture, such as resnet18 or efficientnet_b0 (`cnn-vision models` prints them), or timm:NAME."""
    pretrained: str = ""
    """Weights to start from: imagenet (a download), or the path of a .safetensors or .pth file."""
    small_images: Literal["auto", "on", "off"] = "auto"
    """The stem for small images, which keeps their resolution; auto takes it below 64 pixels."""
    augment: tuple[Change, ...] = ()
    """Random changes of the training images. No flip for digits and letters."""
    label_smoothing: float = 0.0
    """Share of the target spread over all classes (Szegedy et al. 2016)."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: a class counts in the loss as if all had as many images."""
    weight_decay: float = 0.05
    """Decoupled decay of the weights; norms and biases have none."""
    drop_rate: float | None = None
    """Dropout before the classifier (default: the architecture's own)."""
    valid_fraction: float = 0.1
    """Share of the training images that chooses the best state; 0 keeps the last state and trains on all."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.experiments import classifier_experiment

        return classifier_experiment(self)


def check_numbers(config: ClassifierConfig) -> None:
    """Raise `UserError` for a number that makes no sense."""
    for name, low, high in (
        ("label_smoothing", 0, 1),
        ("weight_decay", 0, None),
        ("drop_rate", 0, 1),
        ("valid_fraction", 0, 1),
    ):
        value = getattr(config, name)
        if value is not None and not (low <= value < (high or float("inf"))):
            limit = f"from {low} to below {high}" if high else f"{low} or more, and finite"
            raise UserError(f"--{name.replace('_', '-')} must be {limit}, but it is {value}.")


@dataclass(frozen=True)
class SpeedConfig(Config):
    """A classifier of small images, trained in as little time as can be."""

    package: ClassVar[str] = "cnn-vision"

    model: str = "airbench94"
    """Architecture; the learning rates suit airbench94."""
    widths: tuple[int, int, int] = (64, 256, 256)
    """Channels of the three blocks of airbench94; other architectures have their own."""
    optimizer: Literal["muon", "sgd", "adamw"] = "muon"
    """muon: kernels by Muon, the rest by SGD; sgd: all by SGD with Nesterov's momentum; adamw: all by AdamW.

    optim.lr is the learning rate of the kernels of convolutions.
    """
    head_lr: float | None = None
    """Learning rate of matrices, which of a CNN is the last layer (default: optim.lr)."""
    bias_lr: float | None = None
    """Learning rate of biases (default: optim.lr)."""
    momentum: float = 0.85
    """Momentum of SGD."""
    kernel_momentum: float = 0.6
    """Momentum of Muon."""
    weight_decay: float = 0.0
    """Decay of kernels and matrices."""
    label_smoothing: float = 0.2
    """Share of the target spread over all classes (Szegedy et al. 2016)."""
    whitening_epochs: float = 3.0
    """How long the biases of the whitening layer are trained; that they are not makes steps cheaper."""
    augment: tuple[Change, ...] = ()
    """Random changes of the training images. No flip for digits and letters."""
    tta: bool = False
    """Answer with the mean of an image and its mirror image (test-time augmentation); also when predicting."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.speed import speed_experiment

        return speed_experiment(self)
