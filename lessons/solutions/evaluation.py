"""One way to answer the exercises of lesson 29."""

import numpy as np


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    pairs = scores[labels == 1][:, None] - scores[labels == 0][None]
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


def paired_interval(
    first: np.ndarray, second: np.ndarray, repeats: int, rng: np.random.Generator
) -> tuple[float, float]:
    difference = second.astype(float) - first
    values = [difference[rng.integers(0, len(first), len(first))].mean() for _ in range(repeats)]
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def choose_threshold(valid: tuple, test: tuple, missed: float, false_alarm: float) -> tuple[float, float]:
    def cost(part: tuple, threshold: float) -> float:
        scores, labels = part
        said = scores >= threshold
        return float((missed * (labels == 1) * ~said + false_alarm * (labels == 0) * said).mean())

    candidates = [*np.unique(valid[0]), np.inf]  # ascending, so that the first of equals is the smallest
    best = min(candidates, key=lambda threshold: cost(valid, threshold))
    return float(best), cost(test, best)
