"""Baselines of anomaly detection: two ways to find defects without a net.

Shape letters: N images, S pixels.
"""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, uniform_filter
from sklearn.decomposition import PCA
from torch import Tensor

from torchworks.cnn_vision.anomaly.metrics import AnomalyScores
from torchworks.shared.data import Dataset
from torchworks.shared.data.dataset import resident

WINDOW = 9
COMPONENTS = 32


def baselines(train: Dataset, test: Dataset) -> dict[str, float]:
    """Scores with names that end in `_statistics` (how far mean and spread of the pixels around a place are from
    those of good images) and `_pca` (what 32 principal components of good images cannot explain)."""
    good, tested = (np.stack([grey(image) for image in resident(part).tensors["image"]]) for part in (train, test))
    found = {}
    for name, method in (("statistics", by_statistics), ("pca", by_pca)):
        scores = _scores(method(good, tested), resident(test).tensors)
        found |= {f"{key}_{name}": value for key, value in scores.items() if key.endswith(("auroc", "pro"))}
    return found


def grey(image: Tensor) -> np.ndarray:
    """float (S, S) in [0, 1], of uint8 (C, S, S)."""
    return image.float().mean(0).numpy() / 255


def by_statistics(good: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Heat (N, S, S): mean and spread in a window, in standard deviations from those of all good places; the larger of
    the two."""
    known, new = _local(good), _local(tested)  # (2, N, S, S)
    centre, spread = known.mean((1, 2, 3), keepdims=True), known.std((1, 2, 3), keepdims=True)
    return np.abs((new - centre) / (spread + 1e-6)).max(0)


def _local(images: np.ndarray) -> np.ndarray:
    mean = uniform_filter(images, (0, WINDOW, WINDOW))
    square = uniform_filter(images**2, (0, WINDOW, WINDOW))
    return np.stack([mean, np.sqrt(np.clip(square - mean**2, 0, None))])


def by_pca(good: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Heat (N, S, S): the smoothed square of what the principal components leave."""
    size = min(COMPONENTS, len(good) - 1)
    pca = PCA(size, random_state=0).fit(good.reshape(len(good), -1))
    flat = tested.reshape(len(tested), -1)
    left = (flat - pca.inverse_transform(pca.transform(flat))).reshape(tested.shape)
    return gaussian_filter(left**2, (0, 1.5, 1.5))


def _scores(heat: np.ndarray, tensors: dict[str, Tensor]) -> dict[str, float]:
    """Of heat whose largest value is the image's score."""
    maps, scores = torch.from_numpy(heat), AnomalyScores()
    score = maps.flatten(1).max(1).values
    scores.update(score, tensors["label"] > 0, score > score.max(), maps, tensors.get("mask"))
    return scores.compute()
