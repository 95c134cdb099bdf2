"""Configuration of images from images. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.gans.adversarial.config import AdversarialTraining
from torchworks.gans.models.config import TranslatorNet
from torchworks.shared.config import Amount, CountOrZero, UserError, limited


@dataclass(frozen=True)
class TranslationConfig(AdversarialTraining):
    """A translator from one kind of image to another."""

    net: TranslatorNet = field(default_factory=TranslatorNet)
    betas: Annotated[tuple[float, float], *limited(0, 1)] = (0.5, 0.999)
    """Adam's decay rates."""

    def __post_init__(self) -> None:
        super().__post_init__()
        size, halvings = self.loader.image_size, self.net.downsamplings
        if size % 2**halvings:
            most = (size & -size).bit_length() - 1  # how often 2 divides the size
            raise UserError(
                f"Translators halve the image --net.downsamplings times and double it again, but {size} pixels cannot "
                f"be halved {halvings} times. Use --net.downsamplings {most} or --loader.image-size 32."
            )


@dataclass(frozen=True)
class CycleGANConfig(TranslationConfig):
    """CycleGAN (Zhu et al. 2017). `data` names the two domains: SOURCE+SOURCE."""

    build: ClassVar[str] = "torchworks.gans.translation.build:build_cyclegan"

    data: str = "digits+printed-digits"
    """The two domains, joined by a plus sign, such as digits+printed-digits or folder:A+folder:B."""
    cycle_weight: Amount = 10.0
    """λ: weight of coming back to the image one started from."""
    identity_weight: Amount = 5.0
    """Weight of leaving images of the target domain as they are (the paper: 0.5 λ)."""
    pool_size: CountOrZero = 50
    """Earlier translations kept to show the discriminators; 0 shows them only the newest."""
    use_labels: bool = True
    """Tell the discriminators the class of each image, if both domains have the same classes. Without, nothing says
    which class is to become which."""


@dataclass(frozen=True)
class Pix2PixConfig(TranslationConfig):
    """pix2pix (Isola et al. 2017). `data` is a folder with sub-folders A and B that hold pairs under equal names;
    or any source of images, from which the inputs are made as `pair` says."""

    build: ClassVar[str] = "torchworks.gans.translation.build:build_pix2pix"

    pair: Literal["outline", "blur"] = "outline"
    """How an input is made from an image when the data are no pairs: its outline, or its blur to a quarter."""
    l1_weight: Amount = 100.0
    """λ: weight of the mean absolute difference from the wanted image."""
