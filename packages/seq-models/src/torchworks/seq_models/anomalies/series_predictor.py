"""A trained finder of anomalous steps as it is used: series in their own units to scores.

Shape letters: N series, T steps, C channels.
"""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.seq_models.anomalies.nets import series_net
from torchworks.seq_models.anomalies.scaling import Scaling
from torchworks.seq_models.anomalies.task import smoothed
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "seq-models-anomaly-series"


class AnomalySeriesPredictor(Predictor):
    """series, float32 (N, T, C), and length, int64 (N,), how many steps of each row are real → score (N, T, 1), the
    smoothed surprise beyond the threshold, so that a step above 0 is an alarm, and surprise (N, T, C), each channel's
    beyond what is usual for it; 0 behind a row's length. No step's answer depends on a later one."""

    mean: Tensor
    std: Tensor
    usual: Tensor

    def __init__(self, net: nn.Module, signature: Signature, config: dict[str, Any]):
        super().__init__(net, signature)
        self.clamp, self.threshold, self.smooth = config["clamp"], config["threshold"], config["smooth"]
        for name in ("mean", "std", "usual"):
            self.register_buffer(name, torch.tensor(config[name]), persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        series, length = inputs
        real = (torch.arange(series.shape[1], device=series.device) < length[:, None])[..., None]
        surprise = self.net(Scaling(self.mean, self.std, self.clamp).applied(series)).float()
        score = smoothed(surprise.sum(2), self.smooth)[..., None] - self.threshold
        return score * real, (surprise - self.usual) * real


def build_anomaly_series(config: dict[str, Any]) -> AnomalySeriesPredictor:
    """The predictor of a finder of anomalous steps, with new weights, from the `config` in `model.json`: its channels
    with mean, std and usual surprise, net, clamp, smooth, threshold, and the time step, if it is known.

    Builder "seq-models-anomaly-series"."""
    columns, every = tuple(config["columns"]), config.get("every", "")
    series = TensorSpec("series", "series", "float32", ("N", "T", len(columns)), labels=columns, pad=0.0, every=every)
    length = TensorSpec("length", "features", "int64", ("N",), low=1)
    outputs = (
        TensorSpec("score", "series", "float32", ("N", "T", 1), labels=("score",), every=every),
        TensorSpec("surprise", "series", "float32", ("N", "T", len(columns)), labels=columns, every=every),
    )
    signature = Signature((series, length), outputs)
    return AnomalySeriesPredictor(series_net(config["net"], len(columns)), signature, config)
