"""The nets of rows and of series, by their configuration."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from torchworks.seq_models.models.autoencoder_rows import Autoencoder, WindowAutoencoder
from torchworks.seq_models.models.autoregressive_density import AutoregressiveDensity
from torchworks.seq_models.models.causal_density import CausalDensity


def rows_net(options: Mapping[str, Any], columns: int) -> nn.Module:
    """With `options` of an `AnomalyNetConfig`, and new weights."""
    if options["method"] == "autoencoder":
        return Autoencoder(columns, hidden_dim=options["hidden_dim"], narrow=options["narrow"])
    return AutoregressiveDensity(columns, hidden_dim=options["hidden_dim"], components=options["components"])


SeriesNet = CausalDensity | WindowAutoencoder


def series_net(options: Mapping[str, Any], channels: int) -> SeriesNet:
    """The same for series."""
    hidden = options["hidden_dim"]
    if options["method"] == "autoencoder":
        return WindowAutoencoder(channels, window=options["window"], hidden_dim=hidden, narrow=options["narrow"])
    return CausalDensity(channels, hidden_dim=hidden, depth=options["depth"], components=options["components"])
