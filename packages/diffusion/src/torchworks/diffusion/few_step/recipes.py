"""The recipe of few-step drawing; the docstring is what `diffusion list` prints."""

from torchworks.diffusion.few_step.config import FewStepConfig
from torchworks.diffusion.process.config import SamplingConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def few_step() -> FewStepConfig:
    """One step from noise to a small digit of a requested class, 16 pixels, learnt from a model that takes eight.

    diffusion train few-step

    Not measured yet.
    """
    return FewStepConfig(
        recipe="few-step",
        sampling=SamplingConfig(sampler="euler", steps=1, guidance=1.0),
        loader=ImageConfig(image_size=16),
        optim=OptimConfig(lr=1e-3, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=400, batch_size=64, clip=1.0, ema=0.998, eval_every=0),
    )
