"""What tells the target without a net: from the table, from the picture, and from both.

Shape letters: N rows, C channels, S pixels along a picture, F features.
"""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from torch import Tensor

from torchworks.hybrid_multimodal.contrastive.baselines import features
from torchworks.hybrid_multimodal.data.price_columns import IMAGE, TARGET
from torchworks.hybrid_multimodal.price.metrics import errors_of
from torchworks.hybrid_multimodal.price.scaling import Scaling, categories_of, known_of, numbers_of
from torchworks.shared.data import Dataset, resident
from torchworks.shared.data.mixed_columns import MixedColumns

PARTS = 40
"""Principal components of pixels, and of gradients, that boosting reads."""
ROUNDS = 200

Fitted = Callable[[np.ndarray], np.ndarray]


def baselines(train: Dataset, test: Dataset, columns: MixedColumns, scaling: Scaling) -> dict[str, float]:
    """Errors of the median training target (`median`); of gradient boosting on the table (`table_boosting`), on
    principal components of the picture's pixels and gradients (`picture_boosting`) and on both (`boosting`)."""
    known, rows = resident(train).tensors, resident(test).tensors
    y = scaling.learned(known[TARGET].double()).numpy()
    tables = table_of(known, columns), table_of(rows, columns)
    gradients = gradients_of(known[IMAGE]), gradients_of(rows[IMAGE])
    pictures = _reduced(known[IMAGE], rows[IMAGE], *gradients)
    both = tuple(np.concatenate(pair, 1) for pair in zip(tables, pictures, strict=True))
    found = {
        "median": np.full(len(tables[1]), np.median(y)),
        "table_boosting": _boosting(tables[0], y, columns)(tables[1]),
        "picture_boosting": _boosting(pictures[0], y)(pictures[1]),
        "boosting": _boosting(both[0], y, columns)(both[1]),
    }
    told = {name: scaling.told(torch.from_numpy(value)) for name, value in found.items()}
    return {name: value for key, each in told.items() for name, value in errors_of(each, rows[TARGET], key).items()}


def table_of(rows: dict[str, Tensor], columns: MixedColumns) -> np.ndarray:
    """Numbers, NaN where they are not known, and categories, NaN likewise, (N, F)."""
    numbers, categories = numbers_of(rows, columns).double(), categories_of(rows, columns).double()
    numbers = numbers.where(known_of(numbers), torch.nan)
    return torch.cat([numbers, categories.where(categories > 0, torch.nan)], 1).numpy()


def gradients_of(images: Tensor) -> np.ndarray:
    """Histograms of gradients, (N, F)."""
    return features(images.expand(-1, 3, -1, -1)).double().numpy()


def _reduced(train: Tensor, test: Tensor, *gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Principal components of pixels and of gradients."""
    pixels = [images.flatten(1).double().numpy() / 255 for images in (train, test)]
    parts = [_components(*pixels), _components(*gradients)]
    return np.concatenate([a for a, _ in parts], 1), np.concatenate([b for _, b in parts], 1)


def _components(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    reduce = PCA(min(PARTS, *train.shape), random_state=0).fit(train)
    return reduce.transform(train), reduce.transform(test)


def _boosting(x: np.ndarray, y: np.ndarray, columns: MixedColumns | None = None) -> Fitted:
    """Fitted to `y`; the columns of categories are taken for such."""
    named = np.zeros(x.shape[1], bool)
    if columns is not None:
        named[len(columns.numbers) : len(columns.names)] = True
    model = HistGradientBoostingRegressor(max_iter=ROUNDS, categorical_features=named, random_state=0)
    return model.fit(x, y).predict
