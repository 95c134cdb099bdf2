"""The recipes of question answering; each docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.questions.config import VQAConfig, VQANetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def vqa() -> VQAConfig:
    """Answer questions about scenes of colored digits, by looking twice (stacked attention).

    hybrid-multimodal train vqa

    Three seeds: 90.4 ± 2.2 % of the questions about 500 test scenes are answered right, 67.8 ± 2.3 % of those about
    scenes of held-out pairs of color and digit; a table of the most frequent answer to each question answers 27.7 and
    19.1 %, ridge regression that sees the scene alone 16.6 and 15.3 %. bf16; 212 s of CPU time of one core of an AMD
    EPYC with AVX512-BF16, torch 2.14.1.
    """
    return VQAConfig(
        recipe="vqa",
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=1600, batch_size=32, clip=2.0, eval_every=400),
    )


def vqa_easy() -> VQAConfig:
    """Answer the questions of easy-vqa about one shape, by a product of question and picture. Needs the extra vqa.

    hybrid-multimodal train vqa-easy

    99.91 ± 0.02 % of the 9,673 test questions are answered right (yes or no 99.92 ± 0.02, color 100.00, shape 99.71 ±
    0.05 %), three seeds; a table of the most frequent answer to each question answers 66.9 %, the most frequent answer
    37.3 %, ridge regression that sees the picture alone 36.8 %. 58 s of one core of an AMD EPYC, torch 2.14.1, bf16.
    """
    return VQAConfig(
        recipe="vqa-easy",
        data="easy-vqa",
        net=VQANetConfig(fusion="product", blocks=0),
        optim=OptimConfig(lr=4e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=32, clip=2.0, eval_every=200),
    )
