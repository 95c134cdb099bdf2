"""The recipes of pronunciation. Their docstrings are what `list` prints."""

from torchworks.seq_models.pronunciation.config import PronunciationConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def pronounce() -> PronunciationConfig:
    """How English words sound, from their letters: a recurrent net, and n-grams that choose among what it finds.

    seq-models train pronounce

    Seed 0 alone: 27.4 % of 12,594 words with unseen stems and 6.5 % of sounds are wrong; by the net without n-grams
    31.1 % and 7.4 %, by joint n-grams alone 34.2 %, letter by letter 45.5 %, by the nearest word 97.6 %; 580 s of CPU
    time beside other work (torch 2.14.1, one core of an AMD EPYC with AVX512-BF16).
    """
    return PronunciationConfig(
        recipe="pronounce",
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=200),
        trainer=TrainerConfig(steps=4600, batch_size=128, eval_every=920, clip=1.0),
    )
