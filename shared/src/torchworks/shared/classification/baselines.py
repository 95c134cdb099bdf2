"""Baselines of a classifier: logistic regression on the pixels, and always the majority class.

Shape letters: N images, C channels, S pixels along a side, D pixels, K classes.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, Part, open_loader

BATCH = 256
MOST_IMAGES = 20_000
"""Training images that the regression sees."""
MOST_PIXELS = 16
"""Side to which larger images are reduced for the regression."""


def logistic_regression(train: Dataset, test: Dataset) -> dict[str, float]:
    """Accuracy on `test` of scikit-learn's `LogisticRegression` with its defaults on the pixels in [-1, 1], and of the
    majority class of the training images."""
    from sklearn.linear_model import LogisticRegression

    (x, labels), (x_test, labels_test) = _table(some_of(train)), _table(test)
    fitted = LogisticRegression(max_iter=1000).fit(x.numpy(), labels.numpy())
    majority = labels.mode().values
    return {
        "accuracy_baseline": float(fitted.score(x_test.numpy(), labels_test.numpy())),
        "accuracy_majority_class": (labels_test == majority).float().mean().item(),
    }


def _table(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Pixels (N, D) and labels (N,)."""
    rows, labels = [], []
    for batch in open_loader(dataset, LoaderConfig(), BATCH, train=False):
        rows.append(pixels_of(batch["image"]))
        labels.append(batch["label"])
    return torch.cat(rows), torch.cat(labels)


def some_of(train: Dataset) -> Part:
    """At most `MOST_IMAGES`, evenly spread over the training images."""
    return Part(train, range(0, len(train), -(-len(train) // MOST_IMAGES)))


def pixels_of(images: Tensor) -> Tensor:
    """Pixels (N, D) of images (N, C, S, S), reduced to `MOST_PIXELS` a side."""
    side = min(MOST_PIXELS, images.shape[-1])
    return F.interpolate(images, (side, side), mode="area").flatten(1)
