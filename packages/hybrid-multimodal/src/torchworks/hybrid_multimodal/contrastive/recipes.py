"""The recipes of CLIP; each docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.contrastive.config import ClipConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def clip() -> ClipConfig:
    """Find images by a sentence: CLIP on scenes of colored digits."""
    return ClipConfig(
        recipe="clip",
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=128, clip=2.0, eval_every=200),
    )
