"""The recipes for images from noise; each docstring is what `diffusion list` prints."""

from torchworks.diffusion.images.config import DiTImagesConfig, UNetImagesConfig
from torchworks.diffusion.models.config import DiTConfig, UNetConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def flow() -> UNetImagesConfig:
    """Flow matching on small digits, 16 pixels, with a U-Net: images of a requested class.

    diffusion train flow

    Three seeds: fd_digits64 0.370 ± 0.032 in 8 steps (real test digits 0.314, normally distributed pixels 16.2), the
    requested class is read in 99.6 ± 0.4 % (real digits 99.4 %), precision 0.90 ± 0.01, recall 0.84 ± 0.01; 223 to 237
    s of CPU time (torch 2.14.1, fp32, one core of an AMD EPYC, Zen 2, beside other work).
    """
    return UNetImagesConfig(
        recipe="flow",
        sampling=SamplingConfig(guidance=1.2),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=2500, batch_size=32, clip=1.0, ema=0.998, eval_every=1250),
    )


def flow_mnist() -> UNetImagesConfig:
    """Flow matching on 5,000 digits of MNIST, 28 pixels: handwriting of a requested digit.

    diffusion train flow-mnist

    Three seeds: fd_mnist5k64 0.303 ± 0.030 in 8 steps (real test digits 0.095, normally distributed pixels 116), the
    requested class is read in 96.4 ± 0.8 % (real digits 97.0 %), precision 0.82 ± 0.01, recall 0.88 ± 0.01 (real 0.89,
    0.89); some digits are broken. fp32; 273 to 286 s of CPU time with scoring (torch 2.14.1, one core of an AMD EPYC,
    Zen 2, beside other work).
    """
    return UNetImagesConfig(
        recipe="flow-mnist",
        data="mnist5k",
        most_drawn=360,
        loader=ImageConfig(image_size=28),
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=1300, batch_size=32, clip=1.0, ema=0.998, eval_every=1300),
    )


def ddpm() -> UNetImagesConfig:
    """DDPM as in the paper of 2020: linear betas, 1,000 levels, the net predicts the noise.

    diffusion train ddpm

    Three seeds: fd_digits64 2.78 ± 0.29 in 50 steps of ddim, precision 0.59 ± 0.02, recall 0.93 ± 0.03; 259 to 288 s of
    CPU time (torch 2.14.1, fp32, one core of an AMD EPYC, Zen 2, beside other work). `flow`, which is told the class,
    is nearer to real digits (0.370). `sample --sampler ddpm --steps 1000` draws as the paper does.
    """
    return UNetImagesConfig(
        recipe="ddpm",
        net=UNetConfig(),
        process=ProcessConfig(path="variance-preserving", prediction="noise", times="uniform"),
        sampling=SamplingConfig(sampler="ddim", steps=50, guidance=1.0, clip=True),
        conditional=False,
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=2500, batch_size=32, clip=1.0, ema=0.998, eval_every=1250),
    )


def edm() -> UNetImagesConfig:
    """EDM: noise is added to images that keep their size, and the net's inputs and outputs are scaled for it.

    diffusion train edm

    Three seeds: fd_digits64 0.476 ± 0.100 in 9 steps of heun, which are 17 evaluations, the requested class is read in
    98.2 ± 0.4 %, precision 0.79 ± 0.03, recall 0.91 ± 0.00; 246 to 275 s of CPU time (torch 2.14.1, fp32, one core of
    an AMD EPYC, Zen 2, beside other work).
    """
    return UNetImagesConfig(
        recipe="edm",
        process=ProcessConfig(
            path="variance-exploding", prediction="edm", times="log-normal", time_mean=-1.2, time_deviation=1.2
        ),
        sampling=SamplingConfig(sampler="heun", steps=9),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=2500, batch_size=32, clip=1.0, ema=0.998, eval_every=1250),
    )


def dit() -> DiTImagesConfig:
    """A Transformer over patches, which predicts the image: the design of large models, which needs more than minutes.

    diffusion train dit

    Three seeds: fd_digits64 0.752 ± 0.065 in 8 steps, the requested class is read in 98.5 ± 0.4 %, precision 0.82 ±
    0.01, recall 0.81 ± 0.03; 339 to 375 s of CPU time (torch 2.14.1, fp32, one core of an AMD EPYC, Zen 2, beside other
    work). A step costs it more than twice what it costs the U-Net of `flow`, so it has half as many.
    """
    return DiTImagesConfig(
        recipe="dit",
        net=DiTConfig(patch_size=2, embed_dim=128, depth=4, num_heads=4, mlp_ratio=2),
        process=ProcessConfig(prediction="image", weighting="velocity", time_mean=0.8, time_deviation=0.8),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=1e-3, schedule="linear", warmup=100),
        trainer=TrainerConfig(steps=1200, batch_size=32, clip=1.0, ema=0.998, eval_every=600),
    )
