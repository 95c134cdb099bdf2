"""The recipes for images from noise; each docstring is what `gans list` prints."""

from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.models.config import CGANNet, ClusteredNet, DCGANNet, R3GANNet
from torchworks.gans.noise.config import CGANConfig, ClusteredConfig, DCGANConfig, R3GANConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def dcgan() -> DCGANConfig:
    """DCGAN with a spectrally normalized discriminator, hinge loss, averaged weights: images from noise.

    gans train dcgan

    Digits, 16 pixels, four runs (three seeds): fd_digits64 4.59 ± 0.50 (real test digits 0.31, normally
    distributed pixels 16.2), precision 0.41 ± 0.02, recall 0.94 ± 0.02, 10 of 10 classes; 105 s (torch 2.14.1,
    two cores of an AMD EPYC).
    """
    return DCGANConfig(
        recipe="dcgan",
        net=DCGANNet(latent_dim=64, width=48, discriminator_width=48),
        adversarial=AdversarialConfig(augment=("cutout",)),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=2e-3, schedule="linear"),
        trainer=TrainerConfig(steps=4000, batch_size=32, ema=0.999, eval_every=800),
    )


def dcgan_paper() -> DCGANConfig:
    """DCGAN as in the paper of 2015, batch norm in both nets: the less stable teaching version.

    gans train dcgan-paper

    Digits, 16 pixels, three seeds: fd_digits64 6.77 ± 0.63 (real test digits 0.31, normally distributed pixels
    16.2), precision 0.41 ± 0.03, recall 0.90 ± 0.06, 10 of 10 classes; 242 s (torch 2.14.1, one core of an AMD
    EPYC).
    """
    return DCGANConfig(
        recipe="dcgan-paper",
        net=DCGANNet(latent="uniform", width=32, discriminator_width=32, kernel_size=5, norm="batch"),
        adversarial=AdversarialConfig(loss="non-saturating", betas=(0.5, 0.999)),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=2e-4),
        trainer=TrainerConfig(steps=2000, batch_size=128, eval_every=500),
    )


def cgan() -> CGANConfig:
    """Conditional GAN, conditional batch norm and projection discriminator: images of a requested class.

    gans train cgan

    Digits, 16 pixels, three seeds: the requested class is read in 99.5 ± 0.4 % (real digits 99.4 %), fd_digits64
    0.60 ± 0.10 (real test digits 0.31, normally distributed pixels 16.2). A classifier trained on 1,440 of its
    images alone reads 95.8 ± 0.8 % of real test digits, one trained on real ones 99.4 %. 149 s (torch 2.14.1, two
    cores of an AMD EPYC).
    """
    return CGANConfig(
        recipe="cgan",
        net=CGANNet(latent_dim=64, width=48, discriminator_width=48),
        adversarial=AdversarialConfig(augment=("cutout",)),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=2e-3, schedule="linear"),
        trainer=TrainerConfig(steps=3000, batch_size=64, ema=0.999, eval_every=500),
    )


def cgan_mnist() -> CGANConfig:
    """Conditional GAN on 5,000 digits of MNIST, 28 pixels: handwriting of a requested digit.

    gans train cgan-mnist

    Three seeds: fd_mnist5k64 0.20 ± 0.04 (real test digits 0.10, normally distributed pixels 116), the requested
    class is read in 97.8 ± 0.6 % (real digits 97.0 %), precision 0.88 ± 0.01, recall 0.81 ± 0.02 (real 0.89, 0.89).
    172 s of training, seed 0, fp32 (torch 2.14.1, two cores of an AMD EPYC without bf16); the three seeds ran on one
    core each, beside other work.
    """
    return CGANConfig(
        recipe="cgan-mnist",
        data="mnist5k",
        net=CGANNet(latent_dim=64, width=32, discriminator_width=32),
        adversarial=AdversarialConfig(augment=("cutout",)),
        loader=ImageConfig(image_size=28),
        optim=OptimConfig(lr=2e-3, schedule="linear"),
        trainer=TrainerConfig(steps=5000, batch_size=24, ema=0.998, eval_every=2500, channels_last="on"),
    )


def dcgan_mnist() -> ClusteredConfig:
    """Conditional GAN of clusters found without labels, on 5,000 digits of MNIST: handwriting from noise.

    gans train dcgan-mnist

    Three seeds: fd_mnist5k64 0.88 ± 0.18 (real test digits 0.10, normally distributed pixels 121), precision 0.84 ±
    0.01, recall 0.79 ± 0.03 (real 0.88, 0.88). A classifier reads 76 ± 3 % of the images with a confidence above 0.9,
    and 84.5 % of real test digits. 172 CPU s of one core of an AMD EPYC with AVX512-BF16, bf16 (torch 2.14.1), beside
    other work.
    """
    return ClusteredConfig(
        recipe="dcgan-mnist",
        data="mnist5k",
        net=ClusteredNet(latent_dim=65, width=32, discriminator_width=32, clusters=25),
        adversarial=AdversarialConfig(augment=("cutout",), reuse=True),
        loader=ImageConfig(image_size=28),
        optim=OptimConfig(lr=2e-3, schedule="linear"),
        trainer=TrainerConfig(steps=5000, batch_size=24, ema=0.998, eval_every=2500, channels_last="on"),
    )


def r3gan() -> R3GANConfig:
    """R3GAN, relativistic loss with two gradient penalties: the modern baseline.

    gans train r3gan

    Digits, 16 pixels, three seeds: fd_digits64 4.35 ± 1.06 (real test digits 0.31, normally distributed pixels
    16.2), precision 0.50 ± 0.09, recall 0.85 ± 0.06; 262 s (torch 2.14.1, two cores of an AMD EPYC).
    """
    return R3GANConfig(
        recipe="r3gan",
        net=R3GANNet(width=16, max_channels=64, blocks=1),
        adversarial=AdversarialConfig(loss="relativistic", r1=0.05, r2=0.05, betas=(0.0, 0.99)),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=3e-3, schedule="cosine"),
        trainer=TrainerConfig(steps=2000, batch_size=32, ema=0.995, eval_every=400),
    )
