"""The recipes for images from captions; each docstring is what `diffusion list` prints."""

from torchworks.diffusion.models.config import ConditionalUNetConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.text2image.config import Text2ImageConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def text2image() -> Text2ImageConfig:
    """Two colored shapes where a caption says, 16 pixels; for your own captions --data captioned:FOLDER.

    diffusion train text2image
    """
    return Text2ImageConfig(
        recipe="text2image",
        data="shapes",
        process=ProcessConfig(time_mean=0.7, time_deviation=1.2),
        sampling=SamplingConfig(guidance=2.0),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=1400, batch_size=32, clip=1.0, ema=0.998),
    )


def text2image_3() -> Text2ImageConfig:
    """Three colored shapes where a caption says, 32 pixels.

    diffusion train text2image-3
    """
    return Text2ImageConfig(
        recipe="text2image-3",
        data="shapes:3",
        net=ConditionalUNetConfig(widths=(16, 32, 64), attention=(False, True, False)),
        process=ProcessConfig(time_mean=1.0, time_deviation=1.2),
        sampling=SamplingConfig(guidance=2.0),
        loader=ImageConfig(image_size=32),
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=2000, batch_size=32, clip=1.0, ema=0.998),
    )
