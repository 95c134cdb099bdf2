"""Configuration of the recipe `speed`. Imports no torch."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.cnn_vision.config import Augmentation
from torchworks.shared.config import Amount, Config, ImageConfig, Share, UserError, limited


@dataclass(frozen=True)
class SpeedConfig(Config):
    """A classifier of small images that trains fast."""

    package: ClassVar[str] = "cnn-vision"
    build: ClassVar[str] = "torchworks.cnn_vision.speedrun.build:build"

    loader: ImageConfig = field(default_factory=ImageConfig)
    model: str = "airbench94"
    """Architecture; the learning rates suit airbench94."""
    widths: Annotated[tuple[int, int, int], *limited(1)] = (64, 256, 256)
    """Channels of the three blocks of airbench94; other architectures have their own."""
    optimizer: Literal["muon", "sgd", "adamw"] = "muon"
    """muon: convolution kernels by Muon, the rest by SGD; sgd: all by SGD with Nesterov momentum; adamw: all by AdamW.

    optim.lr is the learning rate of the convolution kernels.
    """
    head_lr: Annotated[float | None, *limited(0)] = None
    """Learning rate of matrices, in a CNN the last layer's (default: optim.lr)."""
    bias_lr: Annotated[float | None, *limited(0)] = None
    """Learning rate of biases (default: optim.lr)."""
    momentum: Share = 0.85
    """Momentum of SGD."""
    kernel_momentum: Share = 0.6
    """Momentum of Muon."""
    weight_decay: Amount = 0.0
    """Weight decay of kernels and matrices."""
    label_smoothing: Share = 0.2
    """Share of the target spread over all classes (Szegedy et al. 2016)."""
    whitening_epochs: Amount = 3.0
    """Epochs in which the biases of the whitening layer are trained; later steps are cheaper without."""
    augment: tuple[Augmentation, ...] = ()
    """Random augmentations of the training images. No flip for digits and letters."""
    tta: bool = False
    """Test-time augmentation: average the prediction over an image and its mirror image; also in `predict`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimizer == "muon" and self.trainer.strategy == "fsdp":
            raise UserError("Muon needs whole kernels, which --strategy fsdp shards. Use --optimizer sgd, or ddp.")
