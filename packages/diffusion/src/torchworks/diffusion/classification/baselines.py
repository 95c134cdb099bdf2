"""Baselines of a classifier: logistic regression on the pixels, and always the majority class.

Shape letters: N images, D pixels.
"""

import torch
from torch import Tensor

from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, open_loader

BATCH = 256


def baselines(train: Dataset, test: Dataset) -> dict[str, float]:
    """Accuracy on `test` of scikit-learn's `LogisticRegression` with its defaults on the pixels in [-1, 1], and of the
    majority class of `train`."""
    from sklearn.linear_model import LogisticRegression

    (x, labels), (x_test, labels_test) = _table(train), _table(test)
    fitted = LogisticRegression(max_iter=1000).fit(x.numpy(), labels.numpy())
    majority = labels.mode().values
    return {
        "accuracy_baseline": float(fitted.score(x_test.numpy(), labels_test.numpy())),
        "accuracy_majority_class": (labels_test == majority).float().mean().item(),
    }


def _table(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """Pixels (N, D) and labels (N,)."""
    batches = list(open_loader(dataset, LoaderConfig(), BATCH, train=False))
    return torch.cat([batch["image"].flatten(1) for batch in batches]), torch.cat([batch["label"] for batch in batches])
