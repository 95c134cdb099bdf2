"""The recipes for images from images; each docstring is what `gans list` prints."""

from torchworks.gans.models.config import TranslatorNet
from torchworks.gans.translation.config import CycleGANConfig, Pix2PixConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def cyclegan() -> CycleGANConfig:
    """CycleGAN, translation between two kinds of images without pairs: handwritten and printed digits.

    gans train cyclegan

    16 pixels, three seeds: 94.2 ± 0.0 % of handwritten test digits are still read as the same digit when made
    printed (as they are: 62.7 %), 96.4 ± 0.1 % of printed ones when made handwritten (as they are: 62.5 %); 234 s
    (torch 2.14.1, two cores of an AMD EPYC).
    """
    return CycleGANConfig(
        recipe="cyclegan",
        cycle_weight=3.0,
        identity_weight=1.0,
        net=TranslatorNet(
            width=8, blocks=3, outer_kernel=3, discriminator_width=32, discriminator_norm="spectral", patch_layers=2
        ),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=1e-3, schedule="linear"),
        trainer=TrainerConfig(steps=2000, batch_size=16, ema=0.99, eval_every=400),
    )


def pix2pix() -> Pix2PixConfig:
    """pix2pix, translation learnt from pairs: outlines to handwritten digits.

    gans train pix2pix

    16 pixels, three seeds: mean absolute difference 0.039 ± 0.000 of the range (the outlines themselves 0.411),
    97.9 ± 0.4 % are read as their digit (the outlines 21.4 %); 80 s (torch 2.14.1, one core of an AMD EPYC).
    """
    return Pix2PixConfig(
        recipe="pix2pix",
        net=TranslatorNet(width=16, blocks=3, downsamplings=1, discriminator_width=32),
        loader=ImageConfig(image_size=16),
        trainer=TrainerConfig(steps=1500, batch_size=16, ema=0.999, eval_every=500),
    )
