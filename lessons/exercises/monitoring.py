"""Exercises of lesson 28, monitoring. Put your code where `...` stands, then: make check-lesson NAME=monitoring"""

import numpy as np


def psi(before: np.ndarray, now: np.ndarray, edges: np.ndarray) -> float:
    """The population stability index of the numbers `before` and `now`, of any lengths.

    The ascending `edges` (B - 1,) cut the numbers into B cells; the first and the last are open to the outside, and an
    edge belongs to the cell below it. Count half a row more in each cell, before you divide by the sum.
    """
    ...


def ks(before: np.ndarray, now: np.ndarray) -> float:
    """The Kolmogorov–Smirnov distance: the largest gap between the shares of numbers at or below a value.

    Values may occur several times, and in both.
    """
    ...


def should_retrain(windows: list[tuple[int, int, bool]], needed: int) -> bool:
    """Whether the newest windows show a drift that has stayed.

    A window (start, end, drifted) has judged the rows from `start` to before `end`. Windows come in the order of time
    and may overlap. Begin to count with the first drifted window after the last one that had not drifted; then count
    each next window that has no row in common with the one that was counted last. `needed` of them are enough.
    """
    ...
