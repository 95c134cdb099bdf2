"""What the recipes of this package can be told: frozen dataclasses. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torchworks.shared.config import Config, ImageConfig, UserError

Change = Literal["flip", "alternating-flip", "shift", "affine", "randaugment", "cutout", "brightness", "contrast"]


@dataclass(frozen=True)
class VisionConfig(Config):
    """What every recipe has that teaches a net to read images."""

    package: ClassVar[str] = "cnn-vision"
    loader: ImageConfig = field(default_factory=ImageConfig)

    model: str = "resnet18"
    """Architecture, such as resnet18 or efficientnet_b0 (`cnn-vision models` prints them), or timm:NAME."""
    pretrained: str = ""
    """Weights to start from: imagenet (a download), or the path of a .safetensors or .pth file."""
    small_images: Literal["auto", "on", "off"] = "auto"
    """The stem for small images, which keeps their resolution; auto takes it below 64 pixels."""
    normalise: Literal["auto", "half", "imagenet"] = "auto"
    """Mean and spread of the pixels that the net sees: half makes them -1 to 1, imagenet is what published weights
    expect; auto takes what the pretrained weights expect, and half without any."""
    freeze: Literal["none", "backbone", "gradual"] = "none"
    """What stays as it came with --pretrained: backbone trains the classifier alone (a linear probe); gradual frees a
    quarter of the layers at a time, the last ones first, during the first half of the steps."""
    rate_decay: float = 1.0
    """Discriminative learning rates: each quarter of the layers has so many times the rate of the one behind it."""
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


@dataclass(frozen=True)
class ClassifierConfig(VisionConfig):
    """A classifier of images."""

    classes: tuple[str, ...] = ()
    """Use the images of these classes only."""
    shots: int = 0
    """Use so many training images of each class only, chosen by the seed (0: all)."""
    mixing: Literal["none", "mixup", "cutmix"] = "none"
    """Two training images in one, with both labels."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.classification.build import classifier_experiment

        return classifier_experiment(self)


@dataclass(frozen=True)
class TransferConfig(ClassifierConfig):
    """A classifier that starts from a net trained on other classes."""

    pretrain_classes: tuple[str, ...] = ()
    """Without --pretrained, the net is first trained to tell these classes of the data apart."""
    pretrain_steps: int = 300
    """Steps of that."""
    pretrain_lr: float = 3e-3
    """Peak learning rate of that."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.classification.transfer import transfer_experiment

        return transfer_experiment(self)


@dataclass(frozen=True)
class FindingsConfig(VisionConfig):
    """A net that says of each finding whether an image shows it: none, one or several at once."""

    positive: tuple[str, ...] = ()
    """Classes that are findings, such as ill. Data with one label an image need it, and its other classes then mean
    none; data with several labels an image take all of them by default."""
    sensitivity: float = 0.9
    """Operating point: the threshold of a finding is the highest at which at least this share of the validation images
    that have it is found."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.multilabel.build import findings_experiment

        return findings_experiment(self)


@dataclass(frozen=True)
class SpeedConfig(Config):
    """A classifier of small images, trained in as little time as can be."""

    package: ClassVar[str] = "cnn-vision"
    loader: ImageConfig = field(default_factory=ImageConfig)

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
        from torchworks.cnn_vision.speedrun.build import speed_experiment

        return speed_experiment(self)


SHARE, POSITIVE = (0, 1), (0, float("inf"))
"""Ranges that a number may be from: the lower end belongs to it, the upper does not."""


def check_ranges(config: Config, **ranges: tuple[float, float]) -> None:
    """Raise `UserError` for a field outside of its range; None is in any."""
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if value is not None and not low <= value < high:
            limit = f"{low} or more, and finite" if high == float("inf") else f"from {low} to below {high}"
            raise UserError(f"--{name.replace('_', '-')} must be {limit}, but it is {value}.")


def check_numbers(config: VisionConfig) -> None:
    """Raise `UserError` for a number that makes no sense."""
    check_ranges(
        config,
        label_smoothing=SHARE,
        weight_decay=POSITIVE,
        drop_rate=SHARE,
        valid_fraction=SHARE,
        rate_decay=POSITIVE,
    )


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
