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
        rotation=4.0,
        zoom=0.02,
        shift=0.02,
        optim=OptimConfig(lr=2e-3, schedule="cosine", warmup=50),
        trainer=TrainerConfig(steps=1500, batch_size=8, ema=0.99, eval_every=500),
    )
