"""How well voices are told apart: the equal error rate."""

import numpy as np


def pair_scores(vectors: np.ndarray, speakers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cosine of each pair of recordings, (P,), and whether both are of one speaker; `vectors` (N, E) of length
    1."""
    rows, columns = np.triu_indices(len(vectors), 1)
    return (vectors @ vectors.T)[rows, columns], speakers[rows] == speakers[columns]


def equal_error(scores: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """(rate, threshold) at which as large a share of pairs of one speaker is refused as of pairs of two is accepted.
    0.5 where there is but one kind of pairs."""
    count, others = int(same.sum()), int((~same).sum())
    if not count or not others:
        return 0.5, 0.0
    order = np.argsort(scores, kind="stable")
    ranked = same[order]
    refused = np.cumsum(ranked) / count  # with the threshold right above each score
    accepted = 1 - np.cumsum(~ranked) / others
    place = int(np.abs(refused - accepted).argmin())
    above = scores[order[min(place + 1, len(order) - 1)]]
    return float((refused[place] + accepted[place]) / 2), float((scores[order[place]] + above) / 2)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, E) divided by their lengths."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
