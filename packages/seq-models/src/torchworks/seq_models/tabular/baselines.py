"""What predicts without a net: the majority class or the mean, a linear model, random forest, boosted trees.

Shape letters: N rows, F numbers and categories.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from torchworks.seq_models.data.table_columns import Columns, categories_of, known_of, numbers_of
from torchworks.seq_models.tabular.metrics import class_scores, number_scores

Rows = Mapping[str, Tensor]
TREES = 300
NAMES = {"majority": "the majority class", "mean": "the mean", "linear": "a linear model", "forest": "a random forest",
         "boosting": "boosted trees"}  # fmt: skip


def baselines(train: Rows, test: Rows, columns: Columns, seed: int = 0) -> dict[str, float]:
    """The scores of each method on `test`, as `accuracy_forest`; `linear` is logistic regression for classes and ridge
    regression for numbers."""
    found = {}
    for name, answer in predicted(train, test, columns, seed).items():
        truth = test[columns.answer]
        scores = class_scores(answer, truth) if columns.classes else number_scores(answer, truth)
        found |= {f"{score}_{name}": float(value) for score, value in scores.items()}
    return found


def predicted(train: Rows, test: Rows, columns: Columns, seed: int = 0) -> dict[str, Tensor]:
    """Of each method, probabilities (N, K) or numbers (N,)."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.linear_model import LogisticRegression, RidgeCV

    y = train[columns.answer].numpy()
    named = np.array([name in columns.categories for name in columns.names])
    plain = table_of(train, columns), table_of(test, columns)
    linear = encoded(*plain, columns)
    if columns.classes:
        models = {
            "majority": (DummyClassifier(strategy="prior"), plain),
            "linear": (LogisticRegression(max_iter=2000), linear),
            "forest": (RandomForestClassifier(TREES, random_state=seed), linear),
            "boosting": (HistGradientBoostingClassifier(categorical_features=named, random_state=seed), plain),
        }
    else:
        models = {
            "mean": (DummyRegressor(), plain),
            "linear": (RidgeCV(np.logspace(-3, 4, 15)), linear),
            "forest": (RandomForestRegressor(TREES, random_state=seed), linear),
            "boosting": (HistGradientBoostingRegressor(categorical_features=named, random_state=seed), plain),
        }
    found = {}
    for name, (model, (x, z)) in models.items():
        fitted = model.fit(x, y)
        if not columns.classes:
            found[name] = torch.from_numpy(fitted.predict(z))
            continue
        probability = torch.zeros(len(z), len(columns.classes), dtype=torch.float64)
        probability[:, torch.from_numpy(fitted.classes_)] = torch.from_numpy(fitted.predict_proba(z))
        found[name] = probability
    return found


def table_of(rows: Rows, columns: Columns) -> np.ndarray:
    """Numbers and categories (N, F), NaN where they are not known."""
    numbers, categories = numbers_of(rows, columns).double(), categories_of(rows, columns).double()
    numbers = numbers.where(known_of(numbers), torch.nan)
    return torch.cat([numbers, categories.where(categories > 0, torch.nan)], 1).numpy()


def encoded(train: np.ndarray, test: np.ndarray, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """The same standardized, missing numbers at the median, and a column of 0 and 1 for each category."""
    count = len(columns.numbers)
    middle = np.nan_to_num(np.nanmedian(train[:, :count], 0)) if count else np.zeros(0)
    parts = []
    for table in (train, test):
        numbers = np.where(np.isnan(table[:, :count]), middle, table[:, :count])
        sizes = [len(values) for values in columns.categories.values()]
        hot = [np.eye(size)[np.nan_to_num(table[:, count + i]).astype(int)] for i, size in enumerate(sizes)]
        parts.append(np.concatenate([numbers, *hot], 1))
    center, scale = parts[0].mean(0), parts[0].std(0)
    scale[scale < 1e-9] = 1
    return (parts[0] - center) / scale, (parts[1] - center) / scale


def verdict(model: Mapping[str, float], others: Mapping[str, float], columns: Columns) -> str:
    """A sentence on which method is best on the test part, where it is not the model."""
    score, best = ("accuracy", max) if columns.classes else ("rmse", min)
    rivals = {name: others[f"{score}_{name}"] for name in NAMES if f"{score}_{name}" in others}
    name = best(rivals, key=rivals.__getitem__)
    ours, theirs = model[score], rivals[name]
    if ours == theirs:
        return f"{NAMES[name].capitalize()} is as good on the test part: {score} {theirs:.4g}."
    if best(ours, theirs) == ours:
        return f"The model is best on the test part: {score} {ours:.4g}; next {NAMES[name]}, {theirs:.4g}."
    more = "are" if name == "boosting" else "is"
    return f"{NAMES[name].capitalize()} {more} better on the test part: {score} {theirs:.4g}, the model {ours:.4g}."
