"""Configuration of classification. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, CountOrZero, ImageConfig, Limited, Share, UserError


@dataclass(frozen=True)
class ClassifierNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    model: Literal["conv", "coatnet", "hybrid-vit", "coatnet-0", "vit-small-r26-s32"] = "conv"
    """conv: convolutions with one of four kinds of attention. coatnet, hybrid-vit: small ones, for images of about 64
    pixels. coatnet-0, vit-small-r26-s32: as published, with 25 and 36 million parameters."""
    attention: Literal["gap", "se", "cbam", "pool"] = "gap"
    """Of conv: none and a mean over the map (gap), squeeze-and-excitation, CBAM, or attention pooling."""
    widths: tuple[Count, ...] = (32, 64, 96)
    """Channels of the strided convolutions (conv), of the stages (coatnet, multiples of 32 in stages of attention) or
    of the residual network (hybrid-vit, multiples of 32)."""
    depths: tuple[Count, ...] = (1, 2, 2)
    """Blocks of each stage (coatnet, hybrid-vit)."""
    kinds: str = "CTT"
    """A letter for each stage of coatnet: C for convolutions, T for attention."""
    stem_width: Count = 16
    """Channels of the stem (coatnet, hybrid-vit)."""
    blocks: CountOrZero = 2
    """Residual blocks behind the strided convolutions (conv), or blocks of the Transformer (hybrid-vit)."""
    parameters: CountOrZero = 0
    """Of conv: choose the inner width of the residual blocks so that the net has about so many parameters (0: as wide
    as the blocks)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.model in ("coatnet", "hybrid-vit") and len(self.widths) != len(self.depths):
            raise UserError(
                f"--net.depths needs a number for each stage, but there are {len(self.depths)} for "
                f"{len(self.widths)} --net.widths."
            )
        if self.model == "coatnet" and (len(self.kinds) != len(self.widths) or {*self.kinds} - {*"CT"}):
            raise UserError(
                f"--net.kinds must have a C or a T for each of the {len(self.widths)} stages, but it is {self.kinds}."
            )


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """A classifier of images."""

    package: ClassVar[str] = "hybrid-multimodal"
    build: ClassVar[str] = "torchworks.hybrid_multimodal.classification.build:build"
    known_data: ClassVar[str] = "colored-digits, digits, folder:PATH or csv:PATH"

    data: str = "colored-digits"
    """Images with a class each: colored-digits, which is drawn, digits, or your own as folder:PATH or csv:PATH."""
    pretrained: str = ""
    """A safetensors file with weights of timm's coatnet_0_224 (coatnet-0) or vit_small_r26_s32_224
    (vit-small-r26-s32), or of this package; a classifier of other classes is left out."""
    shift: CountOrZero = 2
    """Pixels by which training images are moved at most."""
    weight_decay: Amount = 0.02
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.05
    """Share of the training images held out to select the best state."""
    net: ClassifierNetConfig = field(default_factory=ClassifierNetConfig)
    loader: ImageConfig = field(default_factory=lambda: ImageConfig(image_size=64))
