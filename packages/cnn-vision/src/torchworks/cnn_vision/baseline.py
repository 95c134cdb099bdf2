"""What a classifier must beat: logistic regression on the pixels, and always answering with the commonest class."""

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, Part, open_loader

MOST_IMAGES = 20_000
"""Training images that the regression sees."""
MOST_PIXELS = 16
"""Side to which larger images are reduced for it."""


def logistic_regression(train: Dataset, test: Dataset) -> dict[str, float]:
    """Accuracy on `test` of scikit-learn's `LogisticRegression` with its defaults on the pixels in [-1, 1], and of the
    commonest class."""
    from sklearn.linear_model import LogisticRegression

    spread = range(0, len(train), -(-len(train) // MOST_IMAGES))
    (x, labels), (x_test, labels_test) = _table(Part(train, spread)), _table(test)
    fitted = LogisticRegression(max_iter=1000).fit(x.numpy(), labels.numpy())
    commonest = labels.mode().values
    return {
        "accuracy_baseline": float(fitted.score(x_test.numpy(), labels_test.numpy())),
        "accuracy_commonest_class": (labels_test == commonest).float().mean().item(),
    }


def _table(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Pixels (N, D) and labels (N,)."""
    rows, labels = [], []
    for batch in open_loader(dataset, LoaderConfig(), 256, train=False):
        images = batch["image"]
        if images.shape[-1] > MOST_PIXELS:
            images = F.interpolate(images, (MOST_PIXELS, MOST_PIXELS), mode="area")
        rows.append(images.flatten(1))
        labels.append(batch["label"])
    return torch.cat(rows), torch.cat(labels)
