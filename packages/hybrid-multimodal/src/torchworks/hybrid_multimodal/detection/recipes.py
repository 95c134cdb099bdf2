"""The recipes of detection; each docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.detection.config import DetectionConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def detr() -> DetectionConfig:
    """Objects and their boxes as a set, without anchors and suppression (DETR, trained with denoising).

    hybrid-multimodal train detr
    """
    return DetectionConfig(
        recipe="detr",
        optim=OptimConfig(lr=1e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=2000, batch_size=16, clip=1.0, eval_every=1000),
    )
