"""The recipes of recommendation. Their docstrings are what `list` prints."""

from torchworks.hybrid_multimodal.recommendation.config import FactorConfig, HistoryConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def recommend() -> HistoryConfig:
    """Films for a user, or for a stranger who names some: an autoencoder of what people watched (Mult-DAE).

    hybrid-multimodal train recommend
    """
    return HistoryConfig(
        recipe="recommend",
        embed_dim=256,
        drop_rate=0.6,
        l2=7e-3,
        optim=OptimConfig(lr=3e-3, schedule="linear"),
        trainer=TrainerConfig(steps=300, batch_size=256, eval_every=50, precision="fp32"),
    )


def mf() -> FactorConfig:
    """A vector for each user and film, trained by a softmax over all films.

    hybrid-multimodal train mf
    """
    return FactorConfig(
        recipe="mf",
        embed_dim=128,
        drop_rate=0.6,
        l2=6e-2,
        optim=OptimConfig(lr=1e-2),
        trainer=TrainerConfig(steps=240, batch_size=256, eval_every=40),
    )


def bpr() -> FactorConfig:
    """A vector for each user and film, trained by pairs of a film that was watched and one that was not (BPR).

    hybrid-multimodal train bpr
    """
    return FactorConfig(
        recipe="bpr",
        loss="bpr",
        embed_dim=64,
        l2=1e-2,
        optim=OptimConfig(lr=5e-3),
        trainer=TrainerConfig(steps=940, batch_size=2048, eval_every=118),
    )
