"""What else finds anomalous rows: distance from the middle, from neighbors, an isolation forest; and what labels would
give.

Shape letters: N rows, D columns.
"""

import numpy as np
from torch import Tensor

from torchworks.seq_models.anomalies.metrics import ranked

MOST_NEIGHBORS = 10_000
"""Training rows among which neighbors are sought."""
NEIGHBORS = 5


def isolation_forest(rows: np.ndarray) -> object:
    """Liu, Ting & Zhou 2008, "Isolation Forest", fitted to rows (N, D)."""
    from sklearn.ensemble import IsolationForest

    return IsolationForest(random_state=0).fit(rows)


def strangeness(forest: object, rows: np.ndarray) -> np.ndarray:
    """(N,), higher for stranger rows."""
    return -forest.score_samples(rows)  # ty: ignore[missing-attribute]


def kept_rows(rows: Tensor, others: Tensor, drop: float) -> tuple[Tensor, Tensor]:
    """Which of `rows` (N, D) and `others` (M, D) are kept, bool, when an isolation forest of `rows` finds the share
    `drop` of them strangest."""
    forest = isolation_forest(rows.numpy())
    first, second = (strangeness(forest, each.numpy()) for each in (rows, others))
    limit = np.quantile(first, 1 - drop)
    return _tensor(first <= limit), _tensor(second <= limit)


def _tensor(values: np.ndarray) -> Tensor:
    import torch

    return torch.from_numpy(values)


def baselines(learned: Tensor, test: Tensor, truth: Tensor, whole: tuple[Tensor, Tensor] | None) -> dict[str, float]:
    """`auroc_NAME` and `average_precision_NAME` of each method, fitted to the rows `learned` (N, D) and scored on
    `test` (M, D) by `truth` (M,). `whole` are all training rows and their labels, for the methods that need these."""
    mean, std = learned.mean(0), learned.std(0)
    rows, asked = (((each - mean) / std.where(std > 0, 1.0)).double().numpy() for each in (learned, test))
    label = truth.numpy()
    scores = {
        "mahalanobis": mahalanobis(rows, asked),
        "isolation_forest": strangeness(isolation_forest(rows), asked),
        "neighbors": neighbors(rows, asked),
    }
    if whole is not None and 0 < int((whole[1] > 0).sum()) < len(whole[1]):
        from sklearn.ensemble import HistGradientBoostingClassifier

        trees = HistGradientBoostingClassifier(random_state=0).fit(whole[0].numpy(), whole[1].numpy() > 0)
        scores["boosted_trees_with_labels"] = trees.predict_proba(test.numpy())[:, 1]
    found: dict[str, float] = {}
    for name, score in scores.items():
        found |= {f"{metric}_{name}": value for metric, value in ranked(score, label).items()}
    return found


def mahalanobis(rows: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The squared distance from the mean in units of the covariance."""
    precision = np.linalg.pinv(np.cov(rows, rowvar=False).reshape(rows.shape[1], rows.shape[1]))
    away = asked - rows.mean(0)
    return np.einsum("nd,de,ne->n", away, precision, away)


def neighbors(rows: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The mean distance to the nearest rows (Ramaswamy et al. 2000)."""
    from sklearn.neighbors import NearestNeighbors

    some = rows[np.random.default_rng(0).permutation(len(rows))[:MOST_NEIGHBORS]]
    found, _ = NearestNeighbors(n_neighbors=min(NEIGHBORS, len(some))).fit(some).kneighbors(asked)
    return found.mean(1)
