"""The recipe of sensor fusion; its docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.lead.config import LeadConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def lead() -> LeadConfig:
    """How far the brighter of two objects is, by a camera and a range sensor joined by bearing.

    hybrid-multimodal train lead
    """
    return LeadConfig(
        recipe="lead",
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=64, clip=2.0, eval_every=200),
    )
