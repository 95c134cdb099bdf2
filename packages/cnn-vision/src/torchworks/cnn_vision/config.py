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
class FindingsConfig(ClassifierConfig):
    """A net that says of each finding whether an image shows it: none, one or several at once."""

    positive: tuple[str, ...] = ()
    """Classes that are findings, such as ill. Data with one label an image need it, and its other classes then mean
    none; data with several labels an image take all of them by default."""
    sensitivity: float = 0.9
    """Operating point: the threshold of a finding is the highest at which at least this share of the validation images
    that have it is found."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.findings_experiment import findings_experiment

        return findings_experiment(self)


def check_findings_numbers(config: FindingsConfig) -> None:
    """Raise `UserError` for a number that makes no sense."""
    check_numbers(config)
    if not 0 < config.sensitivity <= 1:
        raise UserError(f"--sensitivity must be above 0 and at most 1, but it is {config.sensitivity}.")
    if not config.valid_fraction:
        raise UserError(
            "--valid-fraction is 0, but the thresholds of the findings are chosen on images held out of the training. "
            "Hold some out, such as --valid-fraction 0.2."
        )
