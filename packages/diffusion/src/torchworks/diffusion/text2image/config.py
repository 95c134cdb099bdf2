"""Configuration of images from captions. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from torchworks.diffusion.models.config import ConditionalUNetConfig, TextEncoderConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig, check_strategy
from torchworks.shared.config import Amount, Config, Count, ImageConfig, Share, limited


@dataclass(frozen=True)
class Text2ImageConfig(Config):
    """A diffusion model of pixels that is told a caption."""

    package: ClassVar[str] = "diffusion"
    channels_last_on_cpu: ClassVar[bool] = False
    build: ClassVar[str] = "torchworks.diffusion.text2image.build:build"
    known_data: ClassVar[str] = "shapes, shapes:3 or captioned:FOLDER"

    data: str = "shapes"
    """Images with captions, such as shapes, shapes:3 or captioned:FOLDER."""
    longest: Count = 32
    """Most tokens (words and punctuation marks) of a caption that the model reads; the rest is cut off."""
    vocabulary: Count = 10_000
    """Most words that the model knows: those that are commonest in the training captions."""
    caption_dropout: Share = 0.1
    """Share of training images whose caption the net is not told, so that guidance is possible."""
    weight_decay: Amount = 0.0
    """Decoupled weight decay, not applied to biases and norms."""
    betas: Annotated[tuple[float, float], *limited(0, 1)] = (0.9, 0.99)
    """AdamW's decay rates."""
    muon_lr: Amount = 0.0
    """Learning rate of Muon for the matrices and kernels between the first and the last layer; AdamW trains the rest
    with --optim.lr. 0: AdamW trains all."""
    drawn: Count = 120
    """Images that an evaluation during training draws, of captions that were trained on."""
    text: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    """Sizes of the text encoder."""
    net: ConditionalUNetConfig = field(default_factory=ConditionalUNetConfig)
    """Sizes of the U-Net."""
    process: ProcessConfig = field(default_factory=ProcessConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    loader: ImageConfig = field(default_factory=ImageConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_strategy(self.muon_lr, self.trainer)
