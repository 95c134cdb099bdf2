"""A trained actor as it is used: observations to actions.

Shapes: N observations, D numbers each, A numbers of an action.
"""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from torchworks.rl.actor_critic.config import ActorNet
from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.signature import within_reach
from torchworks.rl.models.twin_critics import NumberPolicy
from torchworks.shared.config import from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec


class ActorPredictor(Predictor):
    """observation (N, D) → action (N, A) within its limits, the mean of the actor's, and spread (N, A), the standard
    deviation before tanh."""

    low: Tensor
    high: Tensor
    middle: Tensor
    reach: Tensor

    def __init__(self, net: NumberPolicy, signature: Signature, kind: Kind):
        super().__init__(net, signature)
        low, high = torch.tensor(kind.low), torch.tensor(kind.high)
        for name, value in {"low": low, "high": high, "middle": (low + high) / 2, "reach": (high - low) / 2}.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.net(within_reach(inputs[0]))
        action = self.middle + self.reach * mean.tanh()  # may be rounded beyond a limit
        return torch.minimum(torch.maximum(action, self.low), self.high), log_std.exp()


def actor_config(kind: Kind, net: ActorNet) -> dict[str, Any]:
    """What `build_actor` needs, as plain data."""
    return {"kind": asdict(kind), "net": asdict(net)}


def build_actor(config: dict[str, Any]) -> ActorPredictor:
    """The predictor of an actor with new weights; builder "rl-actor"."""
    kind, sizes = from_dict(Kind, config["kind"]), from_dict(ActorNet, config["net"])
    observation = TensorSpec("observation", "features", "float32", ("N", kind.width))
    action = TensorSpec("action", "features", "float32", ("N", kind.actions), min(kind.low), max(kind.high))
    spread = TensorSpec("spread", "features", "float32", ("N", kind.actions), low=0)
    net = NumberPolicy(kind.width, kind.actions, width=sizes.width, layers=sizes.layers)
    return ActorPredictor(net, Signature((observation,), (action, spread)), kind)
