"""The recipes of autoencoders."""

from torchworks.cnn_vision.autoencoders.config import AutoencoderConfig, VAEConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def autoencoder() -> AutoencoderConfig:
    """Images through a code of eight numbers and back.

    cnn-vision train autoencoder
    """
    return AutoencoderConfig(
        recipe="autoencoder",
        augment=("shift", "affine"),
        loader=LoaderConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1000, batch_size=64, eval_every=500, log_every=100),
    )


def denoise() -> AutoencoderConfig:
    """Noise taken out of images that the net has not seen.

    cnn-vision train denoise
    """
    return AutoencoderConfig(
        recipe="denoise",
        code=64,
        noise=0.3,
        augment=("shift", "affine"),
        loader=LoaderConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1000, batch_size=64, eval_every=500, log_every=100),
    )


def vae() -> VAEConfig:
    """New images from a code that is normally distributed; a β-VAE with --beta 4.

    cnn-vision train vae
    AMD EPYC, two shared cores; one thread, 170 s of CPU time. ELBO -92.8 nats an image (seed 0; the best there could be,
    every pixel known and no code to pay for, -72.3). Baseline: pixels independent with the means of the training images
    -113.7.
    """
    return VAEConfig(
        recipe="vae",
        code=16,
        augment=("affine",),
        loader=LoaderConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=3000, batch_size=64, eval_every=1000, log_every=100),
    )
