"""A trained policy as it is used: observations to actions.

Shapes: N observations, D numbers or a grid (C, H, W) each, A actions or numbers of an action.
"""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.signature import observation_of
from torchworks.rl.models.actor_critic import ActorCritic
from torchworks.rl.policies.config import PolicyNet
from torchworks.shared.config import from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec


class ChoicePredictor(Predictor):
    """observation (N, D) → action (N,), the most probable one, probability (N, A) of each, and value (N,)."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, value = self.net(inputs[0])
        return logits.argmax(1), logits.float().softmax(1), value.float()


class NumberPredictor(Predictor):
    """observation (N, D) → action (N, A) within its limits, value (N,)."""

    low: Tensor
    high: Tensor

    def __init__(self, net: ActorCritic, signature: Signature, low: tuple[float, ...], high: tuple[float, ...]):
        super().__init__(net, signature)
        self.register_buffer("low", torch.tensor(low), persistent=False)
        self.register_buffer("high", torch.tensor(high), persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        mean, value = self.net(inputs[0])
        return torch.minimum(torch.maximum(mean.float(), self.low), self.high), value.float()


def policy_config(kind: Kind, net: PolicyNet) -> dict[str, Any]:
    """What `build_policy` needs, as plain data."""
    return {"kind": asdict(kind), "net": asdict(net)}


def build_policy(config: dict[str, Any]) -> Predictor:
    """The predictor of a policy with new weights; builder "rl-policy"."""
    kind, sizes = from_dict(Kind, config["kind"]), from_dict(PolicyNet, config["net"])
    net = make_agent(kind, sizes)
    observation = observation_of(kind)
    value = TensorSpec("value", "features", "float32", ("N",))
    if kind.continuous:
        action = TensorSpec("action", "features", "float32", ("N", kind.actions), min(kind.low), max(kind.high))
        return NumberPredictor(net, Signature((observation,), (action, value)), kind.low, kind.high)
    action = TensorSpec("action", "label", "int64", ("N",), low=0, high=kind.actions - 1, labels=kind.names)
    each = TensorSpec("probability", "label", "float32", ("N", kind.actions), low=0, high=1, labels=kind.names)
    return ChoicePredictor(net, Signature((observation,), (action, each, value)))


def make_agent(kind: Kind, sizes: PolicyNet) -> ActorCritic:
    """The nets of a policy for `kind`, with new weights."""
    return ActorCritic(
        kind.grid or kind.width, kind.actions, continuous=kind.continuous, most=kind.most, **asdict(sizes)
    )
