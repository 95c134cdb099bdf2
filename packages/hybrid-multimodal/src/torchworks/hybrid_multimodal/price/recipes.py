"""The recipe of picture and table; its docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.price.config import PriceConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def price() -> PriceConfig:
    """What a row of a bill costs, whose number is handwritten: picture and table joined.

    hybrid-multimodal train price
    """
    return PriceConfig(
        recipe="price",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1600, batch_size=64, clip=20.0, eval_every=400),
    )
