"""The recipes of face swaps and their detector; each docstring is what `gans list` prints."""

from torchworks.gans.swapping.config import FaceSwapConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def face_swap() -> FaceSwapConfig:
    """Face swap: one encoder and a decoder for each of two faces, on cartoon faces that this package draws.

    gans train face-swap

    For images of persons who have agreed to it, for teaching and for the research of detectors: putting the face of
    somebody who has not agreed into an image can do great harm, and is a crime in many countries. Every image made
    bears a visible and an invisible mark.

    Not measured yet.
    """
    return FaceSwapConfig(
        recipe="face-swap",
        rotation=4.0,
        zoom=0.02,
        shift=0.02,
        optim=OptimConfig(lr=8e-4, schedule="cosine", warmup=100),
        trainer=TrainerConfig(steps=1500, batch_size=8, ema=0.99, eval_every=500),
    )
