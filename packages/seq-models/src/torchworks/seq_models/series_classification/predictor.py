"""A trained classifier of series as it is used: series in their own units to probabilities.

Shape letters: N series, T steps, C channels, K classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torchworks.seq_models.models.series_classifier import SeriesClassifier
from torchworks.seq_models.series_classification.nets import new_net
from torchworks.seq_models.series_classification.scaling import Scaling
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "seq-models-series-classifier"


class SeriesClassifierPredictor(Predictor):
    """series, float32 (N, T, C), and length, int64 (N,), how many steps of each row are real → probability (N, K). What
    stands behind a row's length does not count."""

    net: SeriesClassifier
    mean: Tensor
    std: Tensor

    def __init__(self, net: SeriesClassifier, signature: Signature, mean: Sequence[float], std: Sequence[float]):
        super().__init__(net, signature)
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(*self.scaled(*inputs)).float().softmax(1)

    def scaled(self, series: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """What the net reads."""
        length = length.clamp(max=series.shape[1])
        return Scaling(self.mean, self.std).applied(series, length), length


def build_series_classifier(config: dict[str, Any]) -> SeriesClassifierPredictor:
    """The predictor of a classifier of series, with new weights, from the `config` in `model.json`: its classes,
    channels with mean and std, and net.

    Builder "seq-models-series-classifier"."""
    classes, channels = tuple(config["classes"]), tuple(config["channels"])
    series = TensorSpec("series", "series", "float32", ("N", "T", len(channels)), labels=channels, pad=0.0)
    length = TensorSpec("length", "features", "int64", ("N",), low=1)
    probability = TensorSpec("probability", "label", "float32", ("N", len(classes)), low=0, high=1, labels=classes)
    net = new_net(config["net"], len(channels), len(classes))
    signature = Signature((series, length), (probability,))
    return SeriesClassifierPredictor(net, signature, config["mean"], config["std"])
