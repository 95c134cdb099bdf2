"""The recipes of word vectors. Their docstrings are what `list` prints."""

from torchworks.seq_models.embedding.config import EmbeddingConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def embed() -> EmbeddingConfig:
    """Word vectors by skip-gram with negative sampling (word2vec).

    seq-models train embed

    Library of Python 3.11.7, three seeds: of ten words the missing one is found in 37.8 ± 0.9 % of 5,000 places of the
    test part; PPMI with SVD 37.1 %, random vectors 10.2 ± 0.4 %. Correlation with mutual information 0.276 ± 0.003
    (PPMI 0.185), analogies of spelling 7.8 ± 0.5 % (PPMI 8.8 %). 114 s of CPU time (torch 2.14.1, one core of an AMD
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

    The same text, three seeds: 37.6 ± 0.2 % (PPMI with SVD 37.1 %), correlation 0.260 ± 0.012, analogies 6.5 ± 0.8 %;
    47 to 59 s of CPU time. Seed 0 is best of the validation part after 1,800 steps and gets worse after.
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

    The same text, three seeds: 30.1 ± 0.2 %, where PPMI with SVD has 37.1 %; correlation -0.14, analogies 1.1 %: the
    worst of the three methods on so little text. 63 to 80 s of CPU time. Of rates from 0.002 to 0.5 this one was best
    of the validation part.
    """
    return EmbeddingConfig(
        recipe="embed-glove",
        method="glove",
        optim=OptimConfig(lr=0.2),
        trainer=TrainerConfig(steps=4000, batch_size=8192, eval_every=1000),
    )
