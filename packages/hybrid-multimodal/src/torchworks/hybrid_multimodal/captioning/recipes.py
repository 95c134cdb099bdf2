"""The recipes of captioning; each docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.captioning.config import CaptionConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def caption() -> CaptionConfig:
    """Describe images in words, one look at a place for each word; for your own --data captioned:FOLDER.

    hybrid-multimodal train caption
    """
    return CaptionConfig(
        recipe="caption",
        loader=ImageConfig(image_size=64),
        optim=OptimConfig(lr=4e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=700, batch_size=64, clip=2.0),
    )


def caption_lstm() -> CaptionConfig:
    """The same without attention, to show what attention is for.

    hybrid-multimodal train caption-lstm
    """
    return CaptionConfig(
        recipe="caption-lstm",
        model="lstm",
        loader=ImageConfig(image_size=64),
        optim=OptimConfig(lr=4e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=700, batch_size=64, clip=2.0),
    )
