"""The recipes of latent diffusion; each docstring is what `diffusion list` prints."""

from torchworks.diffusion.latent.config import LatentConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def latent() -> LatentConfig:
    """Latent diffusion on small digits, 32 pixels: an autoencoder's latents, a quarter as wide, are drawn by a U-Net.

    diffusion train latent

    Not measured yet.
    """
    return LatentConfig(
        recipe="latent",
        loader=ImageConfig(image_size=32),
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=2500, batch_size=32, clip=1.0, ema=0.998, eval_every=1250),
    )
