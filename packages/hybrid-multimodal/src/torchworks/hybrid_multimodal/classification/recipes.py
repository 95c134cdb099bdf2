"""The recipes of classification; each docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.classification.config import ClassifierConfig, ClassifierNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def attention() -> ClassifierConfig:
    """Classify colored digits with SE, CBAM, attention pooling or none of them, at equal parameters.

    hybrid-multimodal train attention --net.attention cbam
    """
    return ClassifierConfig(
        recipe="attention",
        net=ClassifierNetConfig(attention="pool", parameters=414_000),
        optim=OptimConfig(lr=4e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=500, batch_size=64, clip=2.0, eval_every=125),
    )


def coatnet() -> ClassifierConfig:
    """Classify colored digits by convolutions first and attention with relative positions then (CoAtNet).

    hybrid-multimodal train coatnet
    """
    return ClassifierConfig(
        recipe="coatnet",
        net=ClassifierNetConfig(model="coatnet"),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=600, batch_size=32, clip=1.0, eval_every=150),
    )
