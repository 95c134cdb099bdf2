"""The recipes of classification; each docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.classification.config import ClassifierConfig, ClassifierNetConfig
from torchworks.shared.config import ImageConfig, OptimConfig, TrainerConfig


def attention() -> ClassifierConfig:
    """Classify colored digits with SE, CBAM, attention pooling or none of them, at equal parameters.

    hybrid-multimodal train attention --net.attention cbam

    One of 60 classes of a colored digit anywhere in an image of 32 pixels, three seeds, 1,000 test images: accuracy
    0.965 ± 0.005 with attention pooling (pool, the default), 0.835 ± 0.061 without attention and with a mean (gap),
    0.466 ± 0.090 with SE (se) and 0.357 ± 0.065 with CBAM (cbam) before it, at 171,000 parameters each; a support
    vector machine on the cut-out digit 0.939 ± 0.009, ridge regression 0.177, majority class 0.017. bf16; 40 to 52 s of
    CPU time of one core of an AMD EPYC with AVX512-BF16, torch 2.14.1.
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

    Digits, 32 pixels, one seed: accuracy 0.955; ridge regression on gradients 0.992, a support vector machine on the
    pixels 0.978, boosting 0.964, majority class 0.100: it has too few images to be better. bf16; 41 s of CPU time of
    one core of an AMD EPYC with AVX512-BF16, torch 2.14.1.
    """
    return ClassifierConfig(
        recipe="coatnet",
        data="digits",
        net=ClassifierNetConfig(model="coatnet", widths=(32, 64), depths=(1, 2), kinds="CT"),
        loader=ImageConfig(image_size=32),
        optim=OptimConfig(lr=3e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=300, batch_size=64, clip=1.0, eval_every=150),
    )
