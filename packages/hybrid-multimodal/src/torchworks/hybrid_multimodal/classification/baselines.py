"""What classifies without a net: the majority class, ridge regression, boosting, and a support vector machine on what
stands out.

Shape letters: N images, C channels, S pixels along a side, F features.
"""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.contrastive.baselines import features
from torchworks.shared.data import Dataset, resident

CROP = 12
"""Pixels along the cut that the support vector machine sees."""
SHARE = 0.5
"""A pixel stands out if it differs from the image's frame by this share of the largest difference."""
ROUNDS = 30
"""Of boosting, for each class."""
MOST_CLASSES = 12
"""Classes up to which boosting takes seconds."""


def baselines(train: Dataset, test: Dataset) -> dict[str, float]:
    """Accuracies on `test`: `accuracy_majority_class`; `accuracy_ridge_baseline`, on gradients and colors of 8 × 8
    cells; `accuracy_boosting_baseline`, gradient boosting on what is cut out, for at most 12 classes; and
    `accuracy_cut_svm_baseline`, a support vector machine on the same."""
    (images, label), (images_test, label_test) = (
        (part.tensors["image"], part.tensors["label"].numpy()) for part in map(resident, (train, test))
    )
    majority = np.bincount(label).argmax()
    found = {"accuracy_majority_class": float((label_test == majority).mean())}
    cells = [features(each.expand(-1, 3, -1, -1)).numpy() for each in (images, images_test)]
    cuts = [cut_out(each).numpy() for each in (images, images_test)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with few images
        for name, (model, (x, x_test)) in _models(cells, cuts, int(label.max()) + 1).items():
            found[f"accuracy_{name}_baseline"] = float(model.fit(x, label).score(x_test, label_test))
    return found


def _models(cells: list[np.ndarray], cuts: list[np.ndarray], num_classes: int) -> dict[str, tuple[Any, list]]:
    """The methods by name, each with its training and test features."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    models: dict[str, tuple[Any, list]] = {
        "ridge": (make_pipeline(StandardScaler(), RidgeClassifier(alpha=100.0)), cells),
        "cut_svm": (make_pipeline(StandardScaler(), SVC(C=10.0)), cuts),
    }
    if num_classes <= MOST_CLASSES:
        models["boosting"] = (HistGradientBoostingClassifier(max_iter=ROUNDS, random_state=0), cuts)
    return models


def cut_out(images: Tensor) -> Tensor:
    """The smallest square around what differs from the image's frame, in grey and 12 × 12 pixels, and its mean color:
    float32 (N, F), of images uint8 (N, C, S, S)."""
    return torch.stack([_cut_out(image.float() / 255) for image in images])


def _cut_out(image: Tensor) -> Tensor:
    frame = torch.cat([image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]], 1).median(1).values
    smooth = F.avg_pool2d(image[None], 3, 1, 1, count_include_pad=False)[0]
    away = (smooth - frame[:, None, None]).abs().amax(0)
    seen = away > SHARE * away.amax().clamp(min=1e-6)
    rows, columns = (line.nonzero()[:, 0] for line in (seen.any(1), seen.any(0)))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    color = image[:, seen].mean(1)
    grown = max(bottom - top, right - left)
    square = F.pad(
        away[top:bottom, left:right],
        [(grown - right + left) // 2, (grown - right + left + 1) // 2, (grown - bottom + top) // 2,
         (grown - bottom + top + 1) // 2],
    )  # fmt: skip
    small = F.interpolate(square[None, None], (CROP, CROP), mode="bilinear", antialias=True)[0, 0]
    return torch.cat([(small / small.amax().clamp(min=1e-6)).flatten(), color.repeat(CROP)])
