"""The recipes of StyleGAN2; each docstring is what `gans list` prints."""

from torchworks.gans.adversarial.config import AdaConfig, AdversarialConfig
from torchworks.gans.models.config import StyleGAN2Net
from torchworks.gans.styles.config import StyleConfig, StyleGAN2Config
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def stylegan2() -> StyleGAN2Config:
    """StyleGAN2 with adaptive augmentation, on 80 faces of 28 pixels, or a folder of few images.

    gans train stylegan2

    Three seeds: fd_facesrot64 78 ± 54 with 20 images (real test faces 98.1, normally distributed pixels 83.2; the judge
    learned from 80 images and says little, see docs/stylegan2.md), precision 0.83 ± 0.08, recall 0.97 ± 0.03. 188 to
    207 CPU s (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, bf16).
    """
    return StyleGAN2Config(
        recipe="stylegan2",
        data="faces",
        net=StyleGAN2Net(width=16, discriminator_width=16, max_channels=64),
        adversarial=AdversarialConfig(loss="non-saturating", r1=0.05, betas=(0.0, 0.99)),
        ada=AdaConfig(images=16_000),
        loader=ImageConfig(image_size=28),
        optim=OptimConfig(lr=2.5e-3),
        trainer=TrainerConfig(steps=1500, batch_size=16, ema=0.997),
    )


def stylegan2_mnist() -> StyleGAN2Config:
    """StyleGAN2 on 4,000 handwritten digits of 28 pixels, without labels.

    gans train stylegan2-mnist

    Three seeds: fd_mnist5k64 5.5 ± 1.5 (real test digits 0.10, normally distributed pixels 121), precision
    0.74 ± 0.01, recall 0.72 ± 0.08. 263 CPU s (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, bf16). A tanh at
    the end keeps the classes, which the paper's generator loses on a background of exact black (docs/stylegan2.md).
    """
    return StyleGAN2Config(
        recipe="stylegan2-mnist",
        data="mnist5k",
        net=StyleGAN2Net(width=8, discriminator_width=8, max_channels=64, output="tanh"),
        adversarial=AdversarialConfig(loss="non-saturating", r1=0.5, betas=(0.0, 0.99)),
        style=StyleConfig(path_weight=0.0),
        ada=AdaConfig(target=0.0),
        loader=ImageConfig(image_size=28),
        optim=OptimConfig(lr=2.5e-3),
        trainer=TrainerConfig(steps=2000, batch_size=32, ema=0.997),
    )
