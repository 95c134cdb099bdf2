"""The recipes of face swaps and their detector; each docstring is what `gans list` prints."""

from torchworks.gans.swapping.config import FaceSwapConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def face_swap() -> FaceSwapConfig:
    """Face swap: one encoder, and a decoder for each of two drawn faces.

    gans train face-swap

    For images of persons who have agreed to it, for teaching and for the research of detectors: putting the face of
    somebody who has not agreed into an image can do great harm, and is a crime in many countries. Every image made
    bears a visible and an invisible mark.

    Three seeds, 64 pixels, beside B drawn in A's pose and the other way round: PSNR 18.3 ± 0.2 dB (the image itself
    12.9, mean face 18.1, nearest training image by pixels 15.9, by the true pose 17.0); correlation of the pose
    0.88 ± 0.03 (nearest by pose 0.66), of the mouth 0.80 ± 0.01 (0.30), of the whole expression 0.23 (0.12; the truth
    0.95); all taken for the other person; blurred. 182 to 197 s of CPU time (torch 2.14.1, bf16, one core of an AMD
    EPYC beside other work).
    """
    return FaceSwapConfig(
        recipe="face-swap",
        rotation=0.0,
        zoom=0.0,
        shift=0.0,
        warp=0.04,
        optim=OptimConfig(lr=1e-3, schedule="cosine", warmup=100),
        trainer=TrainerConfig(steps=3000, batch_size=4, ema=0.99, eval_every=250),
    )
