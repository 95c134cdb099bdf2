"""How right speech was found: by frame."""

import math

import numpy as np
import torch

from torchworks.shared.classification import ranking


def auroc(scores: np.ndarray, truth: np.ndarray) -> float:
    """The probability that a frame of speech has a higher score than another, ties counting half; `truth` is 1 or 0,
    both (F,). 0.5 where there is but one kind."""
    area = ranking.auroc(torch.from_numpy(scores), torch.from_numpy(truth > 0.5))
    return 0.5 if math.isnan(area) else area


def best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """The score from which on a frame counts as speech, so that the fewest frames are wrong."""
    order = np.argsort(scores, kind="stable")
    ranked, speech = scores[order], truth[order] > 0.5
    wrong = np.concatenate([[0], np.cumsum(speech)]) + np.concatenate([np.cumsum(~speech[::-1])[::-1], [0]])
    cuts = np.concatenate([[ranked[0] - 1e-6], (ranked[1:] + ranked[:-1]) / 2, [ranked[-1] + 1e-6]])
    allowed = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])  # between equal scores nothing can be cut
    return float(cuts[np.where(allowed, wrong, len(scores) + 1).argmin()])


def error(scores: np.ndarray, truth: np.ndarray, threshold: float) -> float:
    """The share of frames that are wrong at a threshold."""
    return float(((scores >= threshold) != (truth > 0.5)).mean())
