"""The recipes for images enlarged; each docstring is what `gans list` prints."""

from torchworks.gans.enlarging.config import ESRGANConfig, PerceptualConfig, SRGANConfig, SRResNetConfig
from torchworks.gans.models.enlarger_config import EnlargingDiscriminatorNet, RRDBNetNet, SRResNetNet
from torchworks.shared.config import OptimConfig, TrainerConfig


def srresnet() -> SRResNetConfig:
    """SRResNet, photographs enlarged 4 times, by pixels alone.

    gans train srresnet

    Three seeds, pieces of three test photographs: PSNR of the luma 33.50 ± 0.03 dB, SSIM 0.797, perceptual distance
    0.259, texture distance 25.3 (bicubic 32.53, 0.774, 0.276, 30.4; Lanczos 32.73, 0.779, 0.272, 29.6; that sharpened
    32.88, 0.789, 0.266, 26.8); 90 s of CPU time (torch 2.14.1, bf16, one core of an AMD EPYC beside other work).
    """
    return SRResNetConfig(
        recipe="srresnet",
        net=SRResNetNet(width=32, blocks=6, outer_kernel=5, norm=False, skip=True),
        optim=OptimConfig(lr=1e-3, schedule="cosine", warmup=50),
        trainer=TrainerConfig(steps=600, batch_size=8, ema=0.995, eval_every=300),
    )


def srresnet_x2() -> SRResNetConfig:
    """SRResNet, photographs enlarged 2 times, by pixels alone.

    gans train srresnet-x2

    Three seeds, as srresnet: PSNR 36.94 ± 0.04 dB, SSIM 0.903, perceptual distance 0.149, texture distance
    11.7 (bicubic 35.78 dB, Lanczos 36.10, that sharpened 36.34); 56 s of CPU time.
    """
    return SRResNetConfig(
        recipe="srresnet-x2",
        factor=2,
        crop=48,
        net=SRResNetNet(width=32, blocks=6, outer_kernel=5, norm=False, skip=True),
        optim=OptimConfig(lr=1e-3, schedule="cosine", warmup=50),
        trainer=TrainerConfig(steps=600, batch_size=8, ema=0.99, eval_every=300),
    )


def srgan() -> SRGANConfig:
    """SRGAN, photographs enlarged 4 times, by a net that also has to deceive a discriminator.

    gans train srgan

    Three seeds, as srresnet: PSNR 33.31 ± 0.13 dB, SSIM 0.796, perceptual distance 0.260, texture distance 24.0 ± 1.1;
    136 s of CPU time. What it adds is texture, and little of it: its images have 14 ± 3 % of the photographs' finest
    detail, those of srresnet 12 %.
    """
    return SRGANConfig(
        recipe="srgan",
        crop=64,
        net=SRResNetNet(width=32, blocks=6, outer_kernel=5, norm=False, skip=True),
        discriminator=EnlargingDiscriminatorNet(kind="unet", width=16),
        perceptual=PerceptualConfig(weight=0.1),
        pretrain_steps=300,
        adversarial_weight=0.05,
        optim=OptimConfig(lr=1e-3, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=700, batch_size=8, ema=0.98, eval_every=200),
    )


def esrgan() -> ESRGANConfig:
    """ESRGAN, photographs enlarged 4 times, by dense blocks and a discriminator of each pixel.

    gans train esrgan

    Three seeds, as srresnet: PSNR 32.76 ± 0.02 dB, SSIM 0.792, perceptual distance 0.265, texture distance 21.7 ± 1.0,
    18 ± 3 % of the photographs' finest detail; 158 s of CPU time. The discriminator weighs twice as much as in srgan:
    more texture, but partly one that is not there.
    """
    return ESRGANConfig(
        recipe="esrgan",
        crop=64,
        net=RRDBNetNet(width=32, blocks=1, growth=16, skip=True),
        discriminator=EnlargingDiscriminatorNet(kind="unet", width=16),
        perceptual=PerceptualConfig(weight=0.1),
        pretrain_steps=200,
        adversarial_weight=0.1,
        optim=OptimConfig(lr=1e-3, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=700, batch_size=8, ema=0.98, eval_every=200),
    )
