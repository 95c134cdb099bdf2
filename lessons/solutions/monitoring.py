"""One way to answer the exercises of lesson 28."""

import numpy as np


def psi(before: np.ndarray, now: np.ndarray, edges: np.ndarray) -> float:
    counts = [np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) + 0.5 for side in (before, now)]
    p, q = (count / count.sum() for count in counts)
    return float(((p - q) * np.log(p / q)).sum())


def ks(before: np.ndarray, now: np.ndarray) -> float:
    return float(max(abs((before <= value).mean() - (now <= value).mean()) for value in np.union1d(before, now)))


def should_retrain(windows: list[tuple[int, int, bool]], needed: int) -> bool:
    counted, last_end = 0, 0
    for start, end, drifted in windows:
        if not drifted:
            counted, last_end = 0, 0
        elif counted == 0 or start >= last_end:
            counted, last_end = counted + 1, end
    return counted >= needed
