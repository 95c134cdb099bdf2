"""The recipes of face swaps and their detector; each docstring is what `gans list` prints."""

from torchworks.gans.swapping.config import FaceSwapConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def face_swap() -> FaceSwapConfig:
    """Face swap: one encoder and a decoder for each of two faces, on cartoon faces that this package draws.

    gans train face-swap

    Not measured yet.
    """
    return FaceSwapConfig(
        recipe="face-swap",
        optim=OptimConfig(lr=1e-3, schedule="cosine", warmup=50),
        trainer=TrainerConfig(steps=2000, batch_size=16, ema=0.995, eval_every=400),
    )
