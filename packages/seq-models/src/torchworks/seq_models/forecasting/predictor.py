"""A trained forecaster as it is used: the past of series, and what is known of their future, to quantiles.

Shape letters: N rows, L steps of the past, H steps of the future, K known columns, Q quantiles.
"""

from typing import Any

from torch import Tensor

from torchworks.seq_models.forecasting.nets import Forecaster
from torchworks.seq_models.forecasting.scaling import Scaling
from torchworks.seq_models.forecasting.task import answered
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "seq-models-forecast"


class ForecastPredictor(Predictor):
    """series, float32 (N, L, 1 + K), the values and then the columns that are known in advance; with columns also
    known, float32 (N, H, K), the same columns of the steps to forecast → quantiles, float32 (N, H, Q), ascending.

    L, H and K are fixed. Nothing may be missing: `data.series_panel.filled` fills gaps as in training."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return answered(self.net, inputs[0], inputs[1] if len(inputs) > 1 else None)


def build_forecaster(config: dict[str, Any]) -> ForecastPredictor:
    """The predictor of a forecaster, with new weights, from the `config` in `model.json`: its scaling, its net, the
    name of the values and the time between steps.

    Builder "seq-models-forecast"."""
    scaling = Scaling.from_dict(config["scaling"])
    columns, every = scaling.columns, config["every"]
    width = 1 + len(columns)
    series = TensorSpec(
        "series", "series", "float32", ("N", scaling.context, width), labels=(config["value"], *columns), every=every
    )
    known = TensorSpec(
        "known", "series", "float32", ("N", scaling.horizon, len(columns) or 1), labels=columns, every=every
    )
    quantiles = TensorSpec(
        "quantiles", "series", "float32", ("N", scaling.horizon, len(scaling.levels)), labels=labels_of(scaling),
        every=every,
    )  # fmt: skip
    inputs = (series, known) if columns else (series,)
    return ForecastPredictor(Forecaster(scaling, config["net"]), Signature(inputs, (quantiles,)))


def calendar_preprocessing(scaling: Scaling) -> dict[str, Any]:
    """For a service: which columns it makes of time stamps, and that those of the future follow the past's."""
    made = list(scaling.columns[scaling.given :])
    past = {"series": {"calendar": made}} if made else {}
    return past | ({"known": {"calendar": made, "follows": "series"}} if scaling.columns else {})


def labels_of(scaling: Scaling) -> tuple[str, ...]:
    """What the quantiles are called, such as q0.1."""
    return tuple(f"q{level:g}" for level in scaling.levels)
