"""Baselines of segmentation: the majority class everywhere, and a random forest on the neighbourhood of each pixel.

Shape letters: N images, C channels, S pixels, F features, P pixels of all images.
"""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude
from torch import Tensor

from torchworks.cnn_vision.segmentation.metrics import SegmentationScores
from torchworks.shared.data import Dataset
from torchworks.shared.data.boxes.sample import VOID

BLURS = (1.0, 2.0, 4.0)
"""Standard deviations, in pixels, of the neighbourhoods that the classifier sees."""
MOST_TRAINING, MOST_TESTING = 300, 100
"""Images, spread over a part."""
PIXELS = 200
"""Training pixels of an image."""


def baselines(train: Dataset, test: Dataset, num_classes: int, seed: int = 0) -> dict[str, float]:
    """Scores on some of `test` of a random forest on colors, blurred colors and edges of each pixel, and of the
    majority class of `train`."""
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(seed)
    rows = [_chosen(train[i], rng) for i in _spread(train, MOST_TRAINING)]
    x, y = (np.concatenate(part) for part in zip(*rows, strict=True))
    forest = RandomForestClassifier(20, max_depth=16, min_samples_leaf=4, random_state=seed).fit(x, y)
    majority = int(np.bincount(y).argmax())
    by_forest, by_majority = SegmentationScores(num_classes), SegmentationScores(num_classes)
    for i in _spread(test, MOST_TESTING):
        truth = test[i]["mask"][None]
        answer = forest.predict(pixel_features(test[i]["image"]).reshape(-1, x.shape[1]))
        by_forest.update(torch.from_numpy(answer).view_as(truth), truth)
        by_majority.update(torch.full_like(truth, majority), truth)
    return {
        **{f"{name}_baseline": value for name, value in by_forest.compute().items()},
        **{f"{name}_majority_class": value for name, value in by_majority.compute().items()},
    }


def pixel_features(image: Tensor) -> np.ndarray:
    """float32 (S, S, F) of an image uint8 (C, S, S): its colors, the same blurred, and edges at each blur."""
    maps = []
    for channel in image.float().numpy():
        maps.append(channel)
        maps += [gaussian_filter(channel, sigma) for sigma in BLURS]
        maps += [gaussian_gradient_magnitude(channel, sigma) for sigma in BLURS]
    return np.stack(maps, -1)


def _chosen(sample: dict[str, Tensor], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Features (P, F) and classes (P,) of some pixels that count: half from anywhere, half of rarer classes alike."""
    classes = sample["mask"].numpy().ravel()
    counted = np.flatnonzero(classes != VOID)
    features = pixel_features(sample["image"])
    if not len(counted):
        return np.empty((0, features.shape[-1]), np.float32), np.empty(0, np.int64)
    share = 1 / np.bincount(classes[counted])[classes[counted]]
    places = np.concatenate([rng.choice(counted, PIXELS // 2), rng.choice(counted, PIXELS // 2, p=share / share.sum())])
    return features.reshape(-1, features.shape[-1])[places], classes[places].astype(np.int64)


def _spread(dataset: Dataset, most: int) -> range:
    return range(0, len(dataset), -(-len(dataset) // most))
