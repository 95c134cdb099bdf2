"""The net of a classifier of series, by its configuration."""

from collections.abc import Mapping
from typing import Any

from torchworks.seq_models.models.fcn_series import FCN
from torchworks.seq_models.models.inception_time import InceptionTime
from torchworks.seq_models.models.recurrent_series import RecurrentSeriesClassifier
from torchworks.seq_models.models.series_classifier import SeriesClassifier
from torchworks.seq_models.models.transformer_series import TransformerSeriesClassifier
from torchworks.shared.config import UserError

OPTIONS = {
    "fcn": ("widths", "kernels", "drop_rate"),
    "inception": ("filters", "kernels", "depth", "drop_rate"),
    "gru": ("hidden_dim", "depth", "drop_rate"),
    "lstm": ("hidden_dim", "depth", "drop_rate"),
    "transformer": ("embed_dim", "depth", "num_heads", "ff_dim", "kernel", "drop_rate"),
}
"""The fields of `SeriesNetConfig` that each architecture uses."""


def new_net(options: Mapping[str, Any], channels: int, num_classes: int) -> SeriesClassifier:
    """The net with `options` of a `SeriesNetConfig`, with new weights. Raises `UserError` for sizes that do not fit."""
    architecture = options["architecture"]
    given = {name: options[name] for name in OPTIONS[architecture]}
    try:
        match architecture:
            case "fcn":
                return FCN(channels, num_classes, **given)
            case "inception":
                return InceptionTime(channels, num_classes, **given)
            case "transformer":
                return TransformerSeriesClassifier(channels, num_classes, **given)
            case _:
                return RecurrentSeriesClassifier(channels, num_classes, kind=architecture, **given)
    except ValueError as error:
        raise UserError(f"These sizes make no net: {error}. Change them with --net.") from error
