"""Recommenders beside those of RecBole and implicit, and EASE beside the inverse that it is, on MovieLens 100K.

All learn from the same training part, and scores are NDCG@10 of the same test part, taken outside the time.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from recbole_peer import bpr_epochs
from torch import Tensor
from training import train

from torchworks.hybrid_multimodal.data.interactions import TEST, TRAIN, events_of
from torchworks.hybrid_multimodal.recommendation.baselines import EASE_L2, ease
from torchworks.hybrid_multimodal.recommendation.build import build
from torchworks.hybrid_multimodal.recommendation.config import FactorConfig
from torchworks.hybrid_multimodal.recommendation.recipes import bpr, mf
from torchworks.hybrid_multimodal.recommendation.rows import Divided
from torchworks.hybrid_multimodal.recommendation.task import ranked
from torchworks.shared.data import open_source
from torchworks.shared.machine.device import choose

OURS, RECBOLE, INVERSE = "torchworks", "RecBole", "the inverse alone"
SOFTMAX, PAIRS, ALS = "torchworks, mf", "implicit, BPR", "implicit, ALS"
EPOCHS = 5
"""Of one turn."""
EVERY = {SOFTMAX: 20, PAIRS: 20, ALS: 3}
"""Steps or iterations between two scores."""
IMPLICIT = {"factors": 64, "learning_rate": 0.003, "regularization": 0.01}
"""The best of ten settings that were tried: its NDCG@10 is 0.24, by the defaults 0.23."""


class Reached(NamedTuple):
    """CPU seconds of training until a score stood."""

    seconds: float
    ndcg: float


# ---- an epoch of BPR ------------------------------------------------------------------------------------------


def epochs() -> dict[str, Callable[[], object]]:
    """Functions that train `EPOCHS` epochs: the same net, batch and size, negative items drawn by each as it does."""
    config = bpr()
    device = choose("cpu", precision="fp32")
    made = build(config, device)
    steps = EPOCHS * -(-int((_divided().parts == TRAIN).sum()) // config.trainer.batch_size)
    ours = dataclasses.replace(config.trainer, steps=steps)
    theirs = bpr_epochs(config.trainer.batch_size, config.embed_dim)

    def by_ours() -> None:
        train(made.task, made.train, ours, device, config.optim)

    def by_recbole() -> None:
        for _ in range(EPOCHS):
            theirs()

    return {OURS: by_ours, RECBOLE: by_recbole}


# ---- time to a score ------------------------------------------------------------------------------------------


def curves(*, most: int = 12) -> dict[str, list[Reached]]:
    """Up to `most` scores of each method, with the CPU time that training took until then."""
    divided = _divided()
    makers = {SOFTMAX: _by_softmax, PAIRS: _by_pairs, ALS: _by_squares}
    return {
        name: [point for point, _ in zip(maker(divided), range(most), strict=False)] for name, maker in makers.items()
    }


def first(points: list[Reached], ndcg: float) -> float | None:
    """The CPU seconds at the first point that has this score."""
    return next((point.seconds for point in points if point.ndcg >= ndcg), None)


def best(points: list[Reached]) -> Reached:
    return max(points, key=lambda point: point.ndcg)


def _divided() -> Divided:
    config = mf()
    return Divided.of(*events_of(open_source(config.data, config.loader, config.seed)))


def _ndcg(divided: Divided, scores: Tensor) -> float:
    rows = divided.tested(TEST).tensors
    return float(ranked(rows, scores[rows["user"]])["ndcg_at_10"].mean())


def _by_softmax(divided: Divided) -> Iterator[Reached]:
    config: FactorConfig = mf()
    device = choose("cpu", precision="fp32")
    for turns in range(1, 1000):  # a training of each length: the trainer is not to be interrupted
        made = build(config, device)
        ours = dataclasses.replace(config.trainer, steps=turns * EVERY[SOFTMAX])
        begun = time.process_time()
        train(made.task, made.train, ours, device, config.optim)
        spent = time.process_time() - begun
        with torch.no_grad():
            scores = made.task.nets()["model"].eval()(torch.arange(len(divided.catalogue.users) + 1))
        yield Reached(spent, _ndcg(divided, scores))


def _by_pairs(divided: Divided) -> Iterator[Reached]:
    from implicit.bpr import BayesianPersonalizedRanking

    yield from _implicit(
        divided, PAIRS, BayesianPersonalizedRanking(iterations=EVERY[PAIRS], num_threads=1, random_state=0, **IMPLICIT)
    )


def _by_squares(divided: Divided) -> Iterator[Reached]:
    from implicit.als import AlternatingLeastSquares

    options = {"factors": 64, "regularization": 30.0, "alpha": 5.0}
    net = AlternatingLeastSquares(iterations=EVERY[ALS], num_threads=1, random_state=0, **options)
    yield from _implicit(divided, ALS, net)


def _implicit(divided: Divided, name: str, net) -> Iterator[Reached]:
    """Each call of its `fit` goes on where the last one ended."""
    import scipy.sparse

    x = divided.matrix(TRAIN)
    events, spent = scipy.sparse.csr_matrix(x[1:, 1:].numpy()), 0.0
    while True:
        begun = time.process_time()
        net.fit(events, show_progress=False)
        spent += time.process_time() - begun
        scores = torch.zeros_like(x)
        scores[1:, 1:] = torch.from_numpy(np.asarray(net.user_factors) @ np.asarray(net.item_factors).T)
        yield Reached(spent, _ndcg(divided, scores))


# ---- EASE -----------------------------------------------------------------------------------------------------


def inverses() -> dict[str, Callable[[], object]]:
    """EASE from the matrix of users and items, and the product and inverse alone that its paper writes (Steck 2019,
    listing 1), both in float64."""
    x = _divided().matrix(TRAIN)

    def alone() -> np.ndarray:
        wide = x.double().numpy()
        gram = wide.T @ wide
        gram[np.diag_indices(len(gram))] += EASE_L2
        return np.linalg.inv(gram)

    return {OURS: lambda: ease(x), INVERSE: alone}
