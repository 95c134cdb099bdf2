"""The recipes of autoencoders."""

from torchworks.cnn_vision.autoencoders.config import AutoencoderConfig, VAEConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def autoencoder() -> AutoencoderConfig:
    """Images through a code of eight numbers and back.

    cnn-vision train autoencoder
    AMD EPYC, two shared cores; one thread, 62 s of CPU time. PSNR 19.00 ± 0.12 dB (seeds 0, 1, 2).
    Baseline: eight principal components 18.31, the mean image 12.46.
    """
    return AutoencoderConfig(
        recipe="autoencoder",
        augment=("shift", "affine"),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1000, batch_size=64, eval_every=500, log_every=100),
    )


def denoise() -> AutoencoderConfig:
    """Noise taken out of images that the net has not seen.

    cnn-vision train denoise
    AMD EPYC, two shared cores; one thread, 63 s of CPU time. PSNR 20.95 ± 0.01 dB (seeds 0, 1, 2), of images that have
    12.74 with the noise. Baselines (seed 0): median filter 17.07, Gaussian 16.61, total variation 15.88, non-local
    means 15.28, principal components 19.21.
    """
    return AutoencoderConfig(
        recipe="denoise",
        code=64,
        noise=0.3,
        augment=("shift", "affine"),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1000, batch_size=64, eval_every=500, log_every=100),
    )


def vae() -> VAEConfig:
    """New images from a code that is normally distributed; a β-VAE with --beta 4.

    cnn-vision train vae
    AMD EPYC, two shared cores; one thread, 170 s of CPU time. ELBO -92.9 ± 0.1 nats an image (seeds 0, 1, 2; -72.3 if
    every pixel were known and the code cost nothing). Baseline: independent pixels with the means of the training
    images -113.7.
    """
    return VAEConfig(
        recipe="vae",
        code=16,
        augment=("affine",),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=3000, batch_size=64, eval_every=1000, log_every=100),
    )
