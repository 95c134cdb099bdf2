"""Configuration of detection. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.shared.config import (
    Amount,
    Config,
    Count,
    CountOrZero,
    ImageConfig,
    Limited,
    Positive,
    Share,
    UserError,
)

STRIDE = 8
"""Images have sides, in pixels, that are a multiple of this for the small net, and of `LARGE_STRIDE` for the large."""
LARGE_STRIDE = 32


@dataclass(frozen=True)
class DETRConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    size: Literal["small", "resnet50"] = "small"
    """small: a residual network of stride 8, normalized by groups, trained from nothing. resnet50: as published, with
    frozen batch norms and 41 million parameters; give --pretrained, for it does not learn from little data."""
    widths: tuple[Count, ...] = (64, 96)
    """Channels of the residual stages behind a stem of 32, multiples of 8 (small)."""
    depths: tuple[Count, ...] = (1, 1)
    """Residual layers of each stage (small)."""
    queries: Count = 10
    """Objects that can be found in an image, at most."""
    width: Count = 96
    """Width of the Transformers, a multiple of 8 and of the heads."""
    num_heads: Count = 4
    """Heads of attention."""
    encoder_depth: CountOrZero = 1
    """Layers of the encoder."""
    decoder_depth: Count = 3
    """Layers of the decoder; each is trained to find all objects."""
    hidden: Count = 192
    """Width of the hidden layers."""
    drop_rate: Share = 0.0
    """Dropout in the Transformers."""
    temperature: Positive = 20.0
    """Of the sines that say where a cell is; smaller, they tell neighboring cells apart better. The paper has 10000."""
    at_places: bool = True
    """Queries start at places spread over the image and look there at first; the paper's start anywhere."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) != len(self.depths):
            raise UserError(
                f"--net.depths needs a number for each stage, but there are {len(self.depths)} for "
                f"{len(self.widths)} --net.widths."
            )
        if self.width % 8 or self.width % self.num_heads:
            raise UserError(
                f"--net.width is {self.width}, but it must be a multiple of 8 and of the {self.num_heads} heads."
            )
        if any(width % 8 for width in self.widths):
            raise UserError(f"--net.widths must be multiples of 8, but they are {' '.join(map(str, self.widths))}.")

    @property
    def stride(self) -> int:
        """Pixels along a cell of the map."""
        return LARGE_STRIDE if self.size == "resnet50" else 2 ** (len(self.widths) + 1)


@dataclass(frozen=True)
class DetectionConfig(Config):
    """DETR, which detects objects in images."""

    package: ClassVar[str] = "hybrid-multimodal"
    build: ClassVar[str] = "torchworks.hybrid_multimodal.detection.build:build"
    known_data: ClassVar[str] = "digit-scenes, scenes, coco:PATH, voc:PATH or yolo:PATH"

    data: str = "digit-scenes"
    """Images with boxes: digit-scenes, which is drawn, any other source with boxes, such as scenes of cnn-vision, or
    your own as coco:PATH, voc:PATH or yolo:PATH."""
    pretrained: str = ""
    """A safetensors file with weights of DETR, such as that of facebook/detr-resnet-50, or of this package; a
    classifier or queries of another number are left out."""
    denoising: CountOrZero = 4
    """Groups of noised true boxes that the decoder also sees in training (DN-DETR); 0 trains as DETR does."""
    shift: CountOrZero = 4
    """Pixels by which training images and their boxes are moved at most."""
    weight_decay: Amount = 0.001
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.03
    """Share of the training images held out to select the best state; 0 keeps the last state."""
    net: DETRConfig = field(default_factory=DETRConfig)
    loader: ImageConfig = field(default_factory=lambda: ImageConfig(image_size=64))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loader.image_size % self.net.stride:
            raise UserError(
                f"--loader.image-size is {self.loader.image_size}, but this net needs a multiple of {self.net.stride}."
            )
