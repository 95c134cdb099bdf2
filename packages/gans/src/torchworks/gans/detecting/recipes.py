"""The recipe of the detector; its docstring is what `gans list` prints."""

from torchworks.gans.detecting.config import SwapDetectorConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def swap_detector() -> SwapDetectorConfig:
    """Meso-4, a detector of swapped faces, tested on other faces as well.

    gans train swap-detector

    Not measured yet.
    """
    return SwapDetectorConfig(
        recipe="swap-detector",
        optim=OptimConfig(lr=2e-3, schedule="cosine", warmup=20),
        trainer=TrainerConfig(steps=300, batch_size=32, ema=0.98, eval_every=100),
    )
