"""The recipe of driving perception."""

from torchworks.cnn_vision.driving.config import DriveConfig
from torchworks.shared.config import LoaderConfig, OptimConfig, TrainerConfig


def drive() -> DriveConfig:
    """Cars, pedestrians and signs, road and lanes, and depth, from one net.

    cnn-vision train drive

    What a short training reaches (`--data roads:train=300,test=60 --steps 120 --trainer.batch-size 8 --trainer.ema
    0.97`, seed 0, 60 test scenes; a guess that does not look at the image in brackets): mAP@.5 0.32 (0.00), mIoU 0.39
    (0.25), depth's mean relative error 0.18 (0.28), depth right within a factor of 1.25 0.76 (0.60). 99 s of one core
    of an AMD EPYC (torch 2.14.1). The recipe as it stands takes longer and was not measured.
    """
    return DriveConfig(
        recipe="drive",
        data="roads",
        loader=LoaderConfig(image_size=96),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=16, ema=0.99, clip=10.0, eval_every=400, log_every=50),
    )
