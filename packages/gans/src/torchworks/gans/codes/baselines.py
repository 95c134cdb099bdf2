"""What categories found without labels are read against: k-means, and chance."""

import numpy as np
import torch

from torchworks.gans.codes.metrics import matched_accuracy, shared_information
from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, Source, open_loader

MOST = 10_000
"""Training images that k-means looks at."""


def clusters_of_pixels(source: Source, clusters: int, seed: int) -> dict[str, float]:
    """How well k-means of the training images' pixels (Lloyd 1982, the best of ten starts) tells the classes of the
    test images apart, beside what `recognized_…` says of Q; nothing without labels."""
    if "label" not in source.schema or len(source.train) < clusters:
        return {}
    from sklearn.cluster import KMeans  # slow to import

    found = KMeans(clusters, n_init=10, random_state=seed).fit(_pixels(source.train))
    labels = np.array([int(source.test[i]["label"]) for i in range(len(source.test))])
    predicted = found.predict(_pixels(source.test))
    return {
        "recognized_accuracy_baseline": matched_accuracy(predicted, labels),
        "recognized_nmi_baseline": shared_information(predicted, labels),
    }


def _pixels(dataset: Dataset) -> np.ndarray:
    images, found = [], 0
    for batch in open_loader(dataset, LoaderConfig(), 250, train=False):
        images.append(batch["image"].float().flatten(1))
        found += len(images[-1])
        if found >= MOST:
            break
    return torch.cat(images)[:MOST].numpy()
