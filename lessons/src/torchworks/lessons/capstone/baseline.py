"""A strong simple method beside the nets: logistic regression on histograms of gradients (HOG)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.feature import hog
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from torchworks.lessons.capstone.hospital import Row
from torchworks.lessons.capstone.scoring import truth_of
from torchworks.shared.data.images import picture

SIDE = 64
"""Pixels a side of the images that it sees."""


def features(folder: Path, rows: Sequence[Row]) -> np.ndarray:
    """Histograms of oriented gradients (Dalal and Triggs 2005) of each image, float64 (N, F)."""
    found = []
    for row in rows:
        image = np.asarray(picture(folder / row.path, 0).resize((SIDE, SIDE), Image.Resampling.BOX), np.float64) / 255
        found.append(hog(image, orientations=8, pixels_per_cell=(8, 8), cells_per_block=(2, 2)))
    return np.stack(found)


def from_gradients(folder: Path, train: Sequence[Row], test: Sequence[Row]) -> np.ndarray:
    """Probability of each finding in the `test` images, (N, K); how much is regularized is chosen on parts of the
    training images."""
    x, unseen, truth = features(folder, train), features(folder, test), truth_of(train)
    columns = []
    for has in truth.T:
        model = make_pipeline(
            StandardScaler(),
            LogisticRegressionCV(
                Cs=[1e-4, 1e-3, 1e-2], cv=3, scoring="roc_auc", class_weight="balanced", max_iter=500,
                l1_ratios=(0,), use_legacy_attributes=False,
            ),
        )  # fmt: skip
        columns.append(model.fit(x, has).predict_proba(unseen)[:, 1])
    return np.stack(columns, 1)
