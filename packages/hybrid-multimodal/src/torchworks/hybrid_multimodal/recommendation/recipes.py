"""The recipes of recommendation. Their docstrings are what `list` prints."""

from torchworks.hybrid_multimodal.recommendation.config import FactorConfig, HistoryConfig, SequenceConfig, TowerConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def recommend() -> HistoryConfig:
    """Films for a user, or for a stranger who names some: an autoencoder of what people watched (Mult-DAE).

    hybrid-multimodal train recommend

    Films of MovieLens 100K, RecBole's split, full ranking, three seeds: NDCG@10 0.327 ± 0.001, and 0.336 ± 0.001 mixed
    with EASE. EASE alone, without training, 0.331; ItemKNN 0.283, popularity 0.141; RecBole publishes 0.277 for BPR.
    17 s of CPU time with the start and the methods beside (torch 2.14.1, fp32, one core of an AMD EPYC with
    AVX512-BF16, beside other work).
    """
    return HistoryConfig(
        recipe="recommend",
        embed_dim=256,
        drop_rate=0.6,
        l2=7e-3,
        optim=OptimConfig(lr=3e-3, schedule="linear"),
        trainer=TrainerConfig(steps=300, batch_size=256, eval_every=50),
    )


def mf() -> FactorConfig:
    """A vector for each user and film, trained by a softmax over all films.

    hybrid-multimodal train mf

    As `recommend`, three seeds: NDCG@10 0.310 ± 0.003 (EASE 0.331); 11 s of CPU time.
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

    As `recommend`, three seeds: NDCG@10 0.286 ± 0.003 (RecBole publishes 0.277 for BPR, EASE has 0.331); 14 s of CPU
    time.
    """
    return FactorConfig(
        recipe="bpr",
        loss="bpr",
        embed_dim=64,
        l2=1e-2,
        optim=OptimConfig(lr=5e-3),
        trainer=TrainerConfig(steps=940, batch_size=2048, eval_every=118),
    )


def neumf() -> FactorConfig:
    """NeuMF: a product of vectors and a network of both, each film by itself with drawn ones as 0.

    hybrid-multimodal train neumf

    As `recommend`, three seeds: NDCG@10 0.272 ± 0.005 (RecBole publishes 0.277 for BPR, EASE has 0.331), still rising
    at the last step; 28 to 34 s of CPU time.
    """
    return FactorConfig(
        recipe="neumf",
        method="neumf",
        loss="bce",
        negatives=4,
        embed_dim=64,
        drop_rate=0.1,
        optim=OptimConfig(lr=1e-3),
        trainer=TrainerConfig(steps=800, batch_size=1024, eval_every=80),
    )


def lightgcn() -> FactorConfig:
    """LightGCN: vectors averaged over the graph of who watched what, trained by a softmax over all films.

    hybrid-multimodal train lightgcn

    As `recommend`, three seeds: NDCG@10 0.299 ± 0.001 (EASE 0.331); 20 to 23 s of CPU time.
    """
    return FactorConfig(
        recipe="lightgcn",
        method="lightgcn",
        embed_dim=64,
        l2=3e-2,
        optim=OptimConfig(lr=1e-2),
        trainer=TrainerConfig(steps=400, batch_size=256, eval_every=40),
    )


def two_tower() -> TowerConfig:
    """Films that nobody has watched yet: a vector of each user, and one of a film from its genres, year and title.

    hybrid-multimodal train two-tower

    A fifth of the films is hidden from training, and those 336 are ranked. Three seeds: NDCG@10 0.350 ± 0.001; a ridge
    regression for each user on the same features 0.330, a random order 0.063; 11 s of CPU time.
    """
    return TowerConfig(
        recipe="two-tower",
        embed_dim=32,
        l2=100.0,
        optim=OptimConfig(lr=1e-2, schedule="linear"),
        trainer=TrainerConfig(steps=300, batch_size=256, eval_every=50),
    )


def sasrec() -> SequenceConfig:
    """SASRec: the next film, by a causal Transformer over those watched before.

    hybrid-multimodal train sasrec

    The last film of each user, all films not yet watched ranked, three seeds: NDCG@10 0.102 ± 0.004. EASE of histories
    in which older films count less has 0.102, without training, so the net only equals it; EASE without order 0.073,
    popularity 0.043. 136 to 142 s of CPU time.
    """
    return SequenceConfig(
        recipe="sasrec",
        drop_rate=0.3,
        optim=OptimConfig(lr=2e-3, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=1500, batch_size=64, eval_every=150),
    )


def gru4rec() -> SequenceConfig:
    """GRU4Rec: the next film, by a recurrent network over those watched before.

    hybrid-multimodal train gru4rec

    As `sasrec`, three seeds: NDCG@10 0.097 ± 0.006, which EASE of aged histories beats (0.102, without training); 124
    to 132 s of CPU time.
    """
    return SequenceConfig(
        recipe="gru4rec",
        method="gru4rec",
        layers=1,
        drop_rate=0.3,
        optim=OptimConfig(lr=3e-3, schedule="linear", warmup=50),
        trainer=TrainerConfig(steps=1500, batch_size=64, eval_every=150),
    )
