"""A trained finder of anomalous steps as it is used: series in their own units to scores.

Shape letters: N series, T steps, C channels, W steps that are averaged.
"""

from typing import Any, cast

import torch
from torch import Tensor

from torchworks.seq_models.anomalies.nets import SeriesNet, series_net
from torchworks.seq_models.anomalies.scaling import Scaling
from torchworks.seq_models.anomalies.task import averaged
from torchworks.seq_models.models.padding import last_before
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "seq-models-anomaly-series"


class AnomalySeriesPredictor(Predictor):
    """series, float32 (N, T, C), and length, int64 (N,), how many steps of each row are real → score (N, T, 1), the
    smoothed surprise beyond the threshold, so that a step above 0 is an alarm, and surprise (N, T, C), each channel's
    beyond what is usual for it; 0 behind a row's length. No step's answer depends on a later one.

    A series may come in pieces: what is remembered of those before is `steps` (N,), how many there were, at most W;
    `sums` (N, W), their surprise; and the state of the net, `state_1` and so on. All may be left out at the beginning.
    What comes after is answered with the same names, as `next_steps` and so on."""

    mean: Tensor
    std: Tensor
    usual: Tensor

    def __init__(self, net: SeriesNet, signature: Signature, config: dict[str, Any]):
        super().__init__(net, signature)
        self.clamp, self.threshold, self.smooth = config["clamp"], config["threshold"], config["smooth"]
        for name in ("mean", "std", "usual"):
            self.register_buffer(name, torch.tensor(config[name]), persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        series, length, *memory = inputs
        net = cast(SeriesNet, self.net)
        if not memory:
            memory = [torch.zeros(len(series), *shape, dtype=dtype, device=series.device)
                      for shape, dtype in _remembered(net, self.smooth)]  # fmt: skip
        steps, sums, *state = memory
        real = (torch.arange(series.shape[1], device=series.device) < length[:, None])[..., None]
        scaled = Scaling(self.mean, self.std, self.clamp).applied(series)
        surprise, state = net.advance(scaled, tuple(state), length)
        surprise = surprise.float()
        sums = torch.cat([sums, surprise.sum(2)], 1)  # (N, W + T)
        score = averaged(sums, steps, self.smooth)[..., None] - self.threshold
        steps = (steps + length).clamp(max=self.smooth)
        sums = last_before(sums[..., None], length, self.smooth)[..., 0]
        return score * real, (surprise - self.usual) * real, steps, sums, *state


def _remembered(net: SeriesNet, smooth: int) -> list[tuple[tuple[int, ...], torch.dtype]]:
    """Shapes, without the rows, and types of what is remembered of the pieces before."""
    return [((), torch.int64), ((smooth,), torch.float32), *((shape, torch.float32) for shape in net.state_shapes)]


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
    net = series_net(config["net"], len(columns))
    shapes = _remembered(net, config["smooth"])
    names = ["steps", "sums", *(f"state_{i}" for i in range(1, len(shapes) - 1))]
    given, told = (
        tuple(
            TensorSpec(prefix + name, "state", "float32", ("N", *shape), default=default)
            if shape
            else TensorSpec(prefix + name, "state", "int64", ("N",), low=0, high=config["smooth"], default=default)
            for name, (shape, _) in zip(names, shapes, strict=True)
        )
        for prefix, default in (("", 0.0), ("next_", None))
    )
    return AnomalySeriesPredictor(net, Signature((series, length, *given), outputs + told), config)
