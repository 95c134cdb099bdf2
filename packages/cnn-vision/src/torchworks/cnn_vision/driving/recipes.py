"""The recipe of driving perception."""

from torchworks.cnn_vision.driving.config import DriveConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def drive() -> DriveConfig:
    """Cars, pedestrians and signs, road and lanes, and depth, from one net.

    cnn-vision train drive
    """
    return DriveConfig(
        recipe="drive",
        data="roads",
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=16, ema=0.99, clip=10.0, eval_every=400, log_every=50),
    )
