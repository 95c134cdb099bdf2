"""The recipes of word vectors. Their docstrings are what `list` prints."""

from torchworks.seq_models.embedding.config import EmbeddingConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def embed() -> EmbeddingConfig:
    """Word vectors by skip-gram with negative sampling (word2vec).

    seq-models train embed

    Library of Python 3.11.7, seeds 0 and 1: of ten words the missing one is found in 38.7 and 36.8 % of 5,000 places
    of the test part; PPMI with SVD 37.1 %, random vectors 10.6 %. Correlation with mutual information 0.27 and 0.28
    (PPMI 0.19), analogies of spelling 7.2 and 8.2 % (PPMI 8.8 %). 114 s of CPU time (torch 2.14.1, one core of an AMD
    EPYC, Zen 2).
    """
    return EmbeddingConfig(
        recipe="embed",
        optim=OptimConfig(lr=1e-2, schedule="linear"),
        trainer=TrainerConfig(steps=6000, batch_size=128, eval_every=1000),
    )


def embed_cbow() -> EmbeddingConfig:
    """Word vectors by CBOW with negative sampling (word2vec).

    seq-models train embed-cbow

    The same text, seed 0 alone: 37.5 % (PPMI with SVD 37.1 %), correlation 0.25, analogies 6.5 %; 47 s of CPU time. It
    is best of the validation part after 1,800 steps and gets worse after.
    """
    return EmbeddingConfig(
        recipe="embed-cbow",
        method="cbow",
        optim=OptimConfig(lr=1e-2, schedule="linear"),
        trainer=TrainerConfig(steps=2400, batch_size=128, eval_every=600),
    )


def embed_glove() -> EmbeddingConfig:
    """Word vectors by GloVe: weighted least squares of how often words stand near each other.

    seq-models train embed-glove

    The same text, seed 0 alone: 30.4 %, where PPMI with SVD has 37.1 %; correlation -0.14, analogies 1.1 %: the worst
    of the three methods on so little text. 63 s of CPU time. Of rates from 0.002 to 0.5 this one was best of the
    validation part.
    """
    return EmbeddingConfig(
        recipe="embed-glove",
        method="glove",
        optim=OptimConfig(lr=0.2),
        trainer=TrainerConfig(steps=4000, batch_size=8192, eval_every=1000),
    )
