"""The recipe of super-resolution; the docstring is what `diffusion list` prints."""

from torchworks.diffusion.process.config import SamplingConfig
from torchworks.diffusion.superres.config import SuperresConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def superres() -> SuperresConfig:
    """Super-resolution: a U-Net that sees the small image too makes digits of 4 × 4 pixels ones of 16 × 16.

    diffusion train superres

    Not measured yet.
    """
    return SuperresConfig(
        recipe="superres",
        sampling=SamplingConfig(guidance=1.0),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=1200, batch_size=32, clip=1.0, ema=0.998, eval_every=600),
    )
