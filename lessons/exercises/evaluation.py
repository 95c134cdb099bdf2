"""Exercises of lesson 29, evaluation. Put your code where `...` stands, then: make check-lesson NAME=evaluation"""

import numpy as np


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """The chance that a random positive (label 1) has a higher score than a random negative (label 0).

    `scores` and `labels` are (N,). An equal score counts one half.
    """
    ...


def paired_interval(
    first: np.ndarray, second: np.ndarray, repeats: int, rng: np.random.Generator
) -> tuple[float, float]:
    """The middle 95 % of the bootstrapped difference of two models: `second` minus `first`.

    Both are (N,): what each model gets for each image, such as 1 for a right answer. In each of the `repeats`, draw N
    images with `rng.integers`, with replacement, and take the difference of the two means on these images.
    """
    ...


def choose_threshold(valid: tuple, test: tuple, missed: float, false_alarm: float) -> tuple[float, float]:
    """The threshold to use, and the cost to report for it.

    `valid` and `test` are (scores, labels), NumPy arrays (N,) each. A score of at least the threshold is called
    positive. The mean cost of an image is `missed` for each positive that is not, and `false_alarm` for each negative
    that is, divided by the number of images. The candidates are the scores of the right part, and infinity, which calls
    nothing positive. Of equally cheap candidates take the smallest.
    """
    ...
