"""The nets of `models` as readers of the past: `Pasts` to D numbers for each step of the horizon.

Shape letters: N rows, L steps of the past, H steps of the future, K known columns, U of them given by the user, E
numbers that they become, D numbers of a future step, Q quantiles.
"""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.seq_models.forecasting.scaling import Pasts, Scaling, flat_size
from torchworks.seq_models.models.lstm_forecaster import LSTMForecaster
from torchworks.seq_models.models.nbeats import NBEATS
from torchworks.seq_models.models.nlinear import NLinear
from torchworks.seq_models.models.patchtst import PatchTST
from torchworks.seq_models.models.tcn import TCN


class Linear(nn.Module):
    """NLinear of the past."""

    def __init__(self, scaling: Scaling):
        super().__init__()
        self.net = NLinear(scaling.context, scaling.horizon)

    def forward(self, pasts: Pasts) -> Tensor:
        return self.net(pasts.z[..., None])


class Steps(nn.Module):
    """A net that reads the past step by step, values and what is known: (N, L, 1 + E) → (N, H, D)."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, pasts: Pasts) -> Tensor:
        return self.net(torch.cat([pasts.z[..., None], pasts.behind], 2))


class Blocks(nn.Module):
    """N-BEATS, whose blocks read everything."""

    def __init__(self, scaling: Scaling, net: dict[str, Any]):
        super().__init__()
        self.net = NBEATS(
            scaling.context, scaling.horizon, inputs=flat_size(scaling) - scaling.context + 2, out_dim=net["out_dim"],
            blocks=("generic",) * net["depth"], width=net["width"], layers=2, drop_rate=net["drop_rate"],
        )  # fmt: skip

    def forward(self, pasts: Pasts) -> Tensor:
        inputs = [pasts.columns.flatten(1), pasts.ahead.flatten(1), pasts.stats]
        return self.net(pasts.z, torch.cat(inputs, 1))


class LastStep(nn.Module):
    """A TCN, and a linear layer from its last step to the horizon."""

    def __init__(self, scaling: Scaling, net: dict[str, Any]):
        super().__init__()
        self.horizon, self.out_dim = scaling.horizon, net["out_dim"]
        self.net = TCN(1 + scaling.encoded, (net["width"],) * net["depth"], kernel_size=net["kernel_size"],
                       drop_rate=net["drop_rate"])  # fmt: skip
        self.linear = nn.Linear(net["width"], scaling.horizon * net["out_dim"])

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.net(x)[:, -1]).reshape(x.shape[0], self.horizon, self.out_dim)


def new_core(scaling: Scaling, net: dict[str, Any]) -> nn.Module:
    """`Pasts` → (N, H, D). Raises `ValueError` for sizes that do not fit."""
    sizes: dict[str, Any] = {"channels": 1 + scaling.encoded, "out_dim": net["out_dim"], "depth": net["depth"]}
    context, horizon, patch = scaling.context, scaling.horizon, net["patch"]
    match net["architecture"]:
        case "linear":
            return Linear(scaling)
        case "nbeats":
            return Blocks(scaling, net)
        case "tcn":
            return Steps(LastStep(scaling, net))
        case "lstm":
            options: dict[str, Any] = {"hidden_dim": net["width"], "patch": patch, "drop_rate": net["drop_rate"]}
            return Steps(LSTMForecaster(context, horizon, **sizes, **options))
    options = {"embed_dim": net["width"], "num_heads": net["num_heads"], "ff_dim": 2 * net["width"]}
    patches = {"patch": min(2 * patch, context), "stride": patch, "drop_rate": net["drop_rate"]}
    return Steps(PatchTST(context, horizon, **sizes, **options, **patches))
