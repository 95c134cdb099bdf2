"""A trained net of values as it is used: observations to actions.

Shapes: N observations, D numbers or a grid (C, H, W) each, A actions.
"""

from dataclasses import asdict
from typing import Any

from torch import Tensor

from torchworks.rl.algorithms.c51 import support
from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.signature import observation_of, within_reach
from torchworks.rl.models.q_net import QNet, values_of
from torchworks.rl.q_learning.config import QNetConfig
from torchworks.shared.config import from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec


class ValuePredictor(Predictor):
    """observation (N, D) → action (N,), that of the largest value, and value (N, A) of each action."""

    support: Tensor

    def __init__(self, net: QNet, signature: Signature, sizes: QNetConfig):
        super().__init__(net, signature)
        self.register_buffer("support", support(sizes.low, sizes.high, sizes.atoms), persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        values = values_of(self.net(within_reach(inputs[0])).float(), self.support)
        return values.argmax(1), values


def values_config(kind: Kind, net: QNetConfig) -> dict[str, Any]:
    """What `build_values` needs, as plain data."""
    return {"kind": asdict(kind), "net": asdict(net)}


def build_values(config: dict[str, Any]) -> ValuePredictor:
    """The predictor of a net of values with new weights; builder "rl-values"."""
    kind, sizes = from_dict(Kind, config["kind"]), from_dict(QNetConfig, {"body": "grid"} | config["net"])
    observation = observation_of(kind)
    action = TensorSpec("action", "label", "int64", ("N",), low=0, high=kind.actions - 1, labels=kind.names)
    value = TensorSpec("value", "features", "float32", ("N", kind.actions))
    return ValuePredictor(make_net(kind, sizes), Signature((observation,), (action, value)), sizes)


def make_net(kind: Kind, sizes: QNetConfig) -> QNet:
    """The net of values for `kind`, with new weights."""
    return QNet(
        kind.grid or kind.width,
        kind.actions,
        width=sizes.width,
        layers=sizes.layers,
        dueling=sizes.dueling,
        atoms=sizes.atoms,
        channels=sizes.channels,
        stride=sizes.stride,
        middle=sizes.middle,
        most=kind.most,
        body=sizes.body,
    )
