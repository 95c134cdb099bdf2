"""The recipes of word vectors. Their docstrings are what `list` prints."""

from torchworks.seq_models.embedding.config import EmbeddingConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def embed() -> EmbeddingConfig:
    """Word vectors by skip-gram with negative sampling (word2vec).

    seq-models train embed

    Library of Python 3.11.7, seed 0 alone: of ten words the missing one is found in 33.3 % of 5,000 places of the test
    part; PPMI with SVD is better, 37.1 %; random vectors 10.6 %. Analogies of spelling 6.8 % (PPMI 8.8 %), correlation
    with mutual information 0.14 (PPMI 0.19). torch 2.14.1, one core of an AMD EPYC (Zen 2).
    """
    return EmbeddingConfig(
        recipe="embed",
        optim=OptimConfig(lr=1e-2, schedule="linear"),
        trainer=TrainerConfig(steps=6000, batch_size=128, eval_every=1000),
    )


def embed_cbow() -> EmbeddingConfig:
    """Word vectors by CBOW with negative sampling (word2vec).

    seq-models train embed-cbow

    Not measured yet.
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

    Not measured yet.
    """
    return EmbeddingConfig(
        recipe="embed-glove",
        method="glove",
        optim=OptimConfig(lr=0.2),
        trainer=TrainerConfig(steps=4000, batch_size=8192, eval_every=1000),
    )
