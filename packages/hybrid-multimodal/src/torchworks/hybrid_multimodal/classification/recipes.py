"""The recipes of classification; each docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.classification.config import ClassifierConfig, ClassifierNetConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def attention() -> ClassifierConfig:
    """Classify colored digits with SE, CBAM, attention pooling or none of them, at equal parameters.

    hybrid-multimodal train attention --net.attention cbam
    """
    return ClassifierConfig(
        recipe="attention",
        net=ClassifierNetConfig(attention="pool", widths=(32, 64), parameters=172_000),
        loader=ImageConfig(image_size=32),
        optim=OptimConfig(lr=4e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=700, batch_size=64, clip=2.0, eval_every=350),
    )


def coatnet() -> ClassifierConfig:
    """Classify handwritten digits by convolutions first and attention with relative positions then (CoAtNet).

    hybrid-multimodal train coatnet
    """
    return ClassifierConfig(
        recipe="coatnet",
        data="digits",
        net=ClassifierNetConfig(model="coatnet", widths=(32, 64), depths=(1, 2), kinds="CT"),
        loader=ImageConfig(image_size=32),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=64, clip=1.0, eval_every=400),
    )
