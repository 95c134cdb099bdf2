"""Baselines of a classifier of series: the majority class, and the nearest training series.

By Euclidean distance, series are padded with the channels' means behind their end to the longest; by dynamic time
warping they are compared as they are.

Shape letters: N series, T steps, C channels.
"""

import torch
from torch import Tensor

from torchworks.seq_models.series_classification.dtw import MOST_CELLS, WINDOWS, Series, best_window, cells, matrix
from torchworks.seq_models.series_classification.scaling import Scaling
from torchworks.shared.data import TensorDataset


def baselines(train: TensorDataset, test: TensorDataset) -> dict[str, float]:
    """`accuracy_majority_class`, `accuracy_1nn_euclidean` and, unless the series are too long and many,
    `accuracy_1nn_dtw` with its `dtw_window`, a share of the longer series, chosen among the training series."""
    scaling = Scaling.of(train)
    known, asked = (_series(part, scaling) for part in (train, test))
    labels, truth = train.tensors["label"], test.tensors["label"]
    found = {
        "accuracy_majority_class": _accuracy(labels.mode().values.expand(len(truth)), truth),
        "accuracy_1nn_euclidean": _accuracy(labels[euclidean(asked, known).argmin(1)], truth),
    }
    if cells(known, known) / 2 * sum(min(1.0, 2 * each) for each in WINDOWS) + cells(asked, known) / 3 > MOST_CELLS:
        return found
    window = best_window(known, labels)
    nearest = matrix(asked, known, window).argmin(1)
    return {**found, "accuracy_1nn_dtw": _accuracy(labels[nearest], truth), "dtw_window": window}


def _series(part: TensorDataset, scaling: Scaling) -> Series:
    lengths = part.tensors["series_length"]
    return Series(scaling.applied(part.tensors["series"], lengths), lengths)


def _accuracy(predicted: Tensor, truth: Tensor) -> float:
    return (predicted == truth).float().mean().item()


def euclidean(a: Series, b: Series) -> Tensor:
    """The distances (N_a, N_b) of all pairs, shorter series padded with 0, which is the mean of each channel."""
    longest = max(a.values.shape[1], b.values.shape[1])
    flat = [
        torch.nn.functional.pad(each.values, (0, 0, 0, longest - each.values.shape[1])).flatten(1).double()
        for each in (a, b)
    ]
    return torch.cdist(flat[0], flat[1])
