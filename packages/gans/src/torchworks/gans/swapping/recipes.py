"""The recipes of face swaps and their detector; each docstring is what `gans list` prints."""

from torchworks.gans.swapping.config import FaceSwapConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def face_swap() -> FaceSwapConfig:
    """Face swap: one encoder, and a decoder for each of two drawn faces.

    gans train face-swap

    For images of persons who have agreed to it, for teaching and for the research of detectors: putting the face of
    somebody who has not agreed into an image can do great harm, and is a crime in many countries. Every image made
    bears a visible and an invisible mark.

    Not measured yet.
    """
    return FaceSwapConfig(
        recipe="face-swap",
        rotation=0.0,
        zoom=0.0,
        shift=0.0,
        warp=0.04,
        optim=OptimConfig(lr=1e-3, schedule="cosine", warmup=100),
        trainer=TrainerConfig(steps=1200, batch_size=4, ema=0.99, eval_every=400),
    )
