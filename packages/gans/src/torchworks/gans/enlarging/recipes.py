"""The recipes for images enlarged; each docstring is what `gans list` prints."""

from torchworks.gans.enlarging.config import ESRGANConfig, PerceptualConfig, SRGANConfig, SRResNetConfig
from torchworks.gans.models.enlarger_config import EnlargingDiscriminatorNet, RRDBNetNet, SRResNetNet
from torchworks.shared.config import OptimConfig, TrainerConfig


def srresnet() -> SRResNetConfig:
    """SRResNet, photographs enlarged 4 times, by pixels alone.

    gans train srresnet

    One seed (0), pieces of three test photographs: PSNR of the luma 33.47 dB, SSIM 0.797, perceptual distance 0.259
    (bicubic 32.53, 0.774, 0.276; Lanczos 32.73, 0.779, 0.272; nearest 30.78, 0.743, 0.307); 82 s of CPU time (torch
    2.14.1, bf16, one core of an AMD EPYC beside other work).
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

    Not measured yet.
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

    One seed (0), as srresnet: PSNR 33.17 dB, SSIM 0.795, perceptual distance 0.260; 104 s of CPU time: better than
    interpolation, and no better than srresnet in any score. With weights of 0.01 and 0.3 (--adversarial-weight,
    --perceptual.weight), 200 steps from a run of srresnet: 33.09 dB, 0.795, 0.259.
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

    Not measured yet.
    """
    return ESRGANConfig(
        recipe="esrgan",
        crop=64,
        net=RRDBNetNet(width=32, blocks=1, growth=16, skip=True),
        discriminator=EnlargingDiscriminatorNet(kind="unet", width=16),
        perceptual=PerceptualConfig(weight=0.1),
        pretrain_steps=300,
        adversarial_weight=0.05,
        optim=OptimConfig(lr=1e-3, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=700, batch_size=8, ema=0.98, eval_every=200),
    )
