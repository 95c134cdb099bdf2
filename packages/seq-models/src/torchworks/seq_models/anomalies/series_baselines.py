"""What else finds anomalous steps of a series: distance from the recent mean, from every stretch that was learned, and
an isolation forest of stretches.

Shape letters: T steps, C channels, W steps of a stretch.
"""

import numpy as np

from torchworks.seq_models.anomalies.baselines import isolation_forest, strangeness
from torchworks.seq_models.anomalies.metrics import place_found, ranked

WINDOW = 100
"""Steps of a stretch."""
AT_ONCE = 2000


def baselines(learned: np.ndarray, whole: np.ndarray, label: np.ndarray, begin: int) -> dict[str, float]:
    """`auroc_NAME`, `average_precision_NAME` and `place_found_NAME` of each method on the steps of `whole` (T, C) from
    `begin` on, by their `label` (T,). `learned` (S, C) are the training steps, the first of `whole`."""
    window = min(WINDOW, len(learned) // 4)
    mean, std = learned.mean(0), learned.std(0)
    scaled = (whole - mean) / np.where(std > 0, std, 1)
    scores = {
        "moving_z_score": moving_z_score(scaled, window),
        "discord": discord(scaled[: len(learned)], scaled, window),
        "isolation_forest": forest(scaled[: len(learned)], scaled, window),
    }
    found: dict[str, float] = {}
    for name, score in scores.items():
        said = ranked(score[begin:], label[begin:]) | place_found(score[begin:], label[begin:])
        found |= {f"{metric}_{name}": value for metric, value in said.items()}
    return found


def moving_z_score(series: np.ndarray, window: int) -> np.ndarray:
    """How many standard deviations each step of (T, C) is from the mean of the `window` steps before it, in its most
    distant channel; 0 where there are none."""
    before = np.lib.stride_tricks.sliding_window_view(series, window, 0)[:-1]  # (T − W, C, W)
    away = np.abs(series[window:] - before.mean(2)) / np.maximum(before.std(2), 1e-3)
    return np.concatenate([np.zeros(min(window, len(series))), away.max(1)])


def discord(learned: np.ndarray, series: np.ndarray, window: int) -> np.ndarray:
    """Keogh, Lin & Fu 2005, "HOT SAX: Efficiently Finding the Most Unusual Time Series Subsequence": how far each
    stretch of (T, C) is from the nearest one that was learned, each at mean 0 and deviation 1; a step has the distance
    of the stretch that it is the middle of."""
    known, asked = _stretches(learned, window), _stretches(series, window)
    found = np.empty(len(asked))
    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        likeness = part @ known.T  # all have the same length, so that the product alone says the distance
        if start <= len(learned) - window:  # those that were learned are compared with stretches that do not overlap
            rows = np.arange(start, start + len(part))[:, None]
            likeness[np.abs(rows - np.arange(len(known))) < window] = -np.inf
        best = likeness.max(1)
        found[start : start + len(part)] = np.sqrt(np.maximum(0, 2 - 2 * best)) * np.isfinite(best)
    return np.concatenate([np.zeros(window // 2), found, np.zeros(len(series) - len(found) - window // 2)])


def _stretches(series: np.ndarray, window: int) -> np.ndarray:
    """Each stretch (C · W) with mean 0 in each channel, and of length 1."""
    views = np.lib.stride_tricks.sliding_window_view(series, window, 0).astype(np.float64)  # (N, C, W)
    centred = views - views.mean(2, keepdims=True)
    spread = centred.std(2, keepdims=True)
    rows = np.where(spread > 1e-8, centred / np.maximum(spread, 1e-8), 0).reshape(len(views), -1)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def forest(learned: np.ndarray, series: np.ndarray, window: int) -> np.ndarray:
    """How strange an isolation forest finds the 16 steps up to each step."""
    short = min(16, window)
    known, asked = (
        np.lib.stride_tricks.sliding_window_view(each, short, 0).reshape(len(each) - short + 1, -1)
        for each in (learned, series)
    )
    return np.concatenate([np.zeros(short - 1), strangeness(isolation_forest(known), asked)])
