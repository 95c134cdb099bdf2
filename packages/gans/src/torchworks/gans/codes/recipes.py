"""The recipe of InfoGAN; its docstring is what `gans list` prints."""

from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.codes.config import InfoGANConfig, InformationConfig
from torchworks.gans.models.config import InfoGANNet
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def infogan() -> InfoGANConfig:
    """InfoGAN on 5,000 digits of MNIST: without labels, a category that finds the digits, and numbers that slant them.

    gans train infogan

    Three seeds: the category agrees with the class read in 57.9 ± 4.9 % of drawn digits (NMI 0.53 ± 0.03); the one that
    Q finds in real test digits with 51.6 ± 4.9 % of their labels (k-means of pixels 51.7 ± 2.2 %, chance 14.4 %);
    fd_mnist5k64 1.04 ± 0.06 (real test digits 0.10, normally distributed pixels 121), precision 0.76, recall 0.85. 113
    CPU s (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16, bf16).
    """
    return InfoGANConfig(
        recipe="infogan",
        data="mnist5k",
        net=InfoGANNet(latent_dim=15, width=32, discriminator_width=32, categories=10, numbers=2),
        information=InformationConfig(category=1.0, numbers=0.1),
        loader=ImageConfig(image_size=28),
        adversarial=AdversarialConfig(reuse=True),
        optim=OptimConfig(lr=2e-3, schedule="linear"),
        trainer=TrainerConfig(steps=2500, batch_size=32, ema=0.997, eval_every=1250, channels_last="on"),
    )
