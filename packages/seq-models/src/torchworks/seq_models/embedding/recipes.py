"""The recipes of word vectors. Their docstrings are what `list` prints."""

from torchworks.seq_models.embedding.config import EmbeddingConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def embed() -> EmbeddingConfig:
    """Word vectors by skip-gram with negative sampling (word2vec).

    seq-models train embed
    """
    return EmbeddingConfig(
        recipe="embed",
        optim=OptimConfig(lr=1e-2, schedule="linear"),
        trainer=TrainerConfig(steps=2400, batch_size=128, eval_every=600),
    )


def embed_cbow() -> EmbeddingConfig:
    """Word vectors by CBOW with negative sampling (word2vec).

    seq-models train embed-cbow
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
    """
    return EmbeddingConfig(
        recipe="embed-glove",
        method="glove",
        optim=OptimConfig(lr=5e-2),
        trainer=TrainerConfig(steps=2000, batch_size=8192, eval_every=500),
    )
