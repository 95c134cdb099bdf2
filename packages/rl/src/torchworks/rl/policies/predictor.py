"""A trained policy as it is used: observations to actions.

Shapes: N observations, D numbers or a grid (C, H, W) each, A actions or numbers of an action.
"""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.signature import observation_of, within_reach
from torchworks.rl.models.actor_critic import ActorCritic
from torchworks.rl.models.recurrent_actor_critic import RecurrentActorCritic
from torchworks.rl.policies.config import PolicyNet
from torchworks.rl.policies.recurrent_predictor import RecurrentPredictor, with_states
from torchworks.shared.config import UserError, from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec


class ChoicePredictor(Predictor):
    """observation (N, D) → action (N,), the most probable one, probability (N, A) of each, and value (N,)."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, value = self.net(within_reach(inputs[0]))
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
        mean, value = self.net(within_reach(inputs[0]))
        return torch.minimum(torch.maximum(mean.float(), self.low), self.high), value.float()


def policy_config(kind: Kind, net: PolicyNet) -> dict[str, Any]:
    """What `build_policy` needs, as plain data."""
    return {"kind": asdict(kind), "net": asdict(net)}


def build_policy(config: dict[str, Any]) -> Predictor:
    """The predictor of a policy with new weights; builder "rl-policy"."""
    kind, sizes = from_dict(Kind, config["kind"]), from_dict(PolicyNet, {"body": "grid"} | config["net"])
    net, signature = make_agent(kind, sizes), _signature(kind)
    if isinstance(net, RecurrentActorCritic):
        return RecurrentPredictor(net, with_states(signature, net.hidden), kind)
    return NumberPredictor(net, signature, kind.low, kind.high) if kind.continuous else ChoicePredictor(net, signature)


def _signature(kind: Kind) -> Signature:
    observation = observation_of(kind)
    value = TensorSpec("value", "features", "float32", ("N",))
    if kind.continuous:
        action = TensorSpec("action", "features", "float32", ("N", kind.actions), min(kind.low), max(kind.high))
        return Signature((observation,), (action, value))
    action = TensorSpec("action", "label", "int64", ("N",), low=0, high=kind.actions - 1, labels=kind.names)
    each = TensorSpec("probability", "label", "float32", ("N", kind.actions), low=0, high=1, labels=kind.names)
    return Signature((observation,), (action, each, value))


def make_agent(kind: Kind, sizes: PolicyNet) -> ActorCritic | RecurrentActorCritic:
    """The nets of a policy for `kind`, with new weights. Raises `UserError` for a memory of grids."""
    options: dict[str, Any] = {**asdict(sizes), "continuous": kind.continuous}
    hidden = options.pop("memory")
    if not hidden:
        return ActorCritic(kind.grid or kind.width, kind.actions, most=kind.most, **options)
    if kind.grid:
        raise UserError(
            f"Observations of {kind.id} are grids, and a policy with a memory sees vectors of numbers or symbols. "
            "Leave out --net.memory, or wrap the environment by gymnasium.wrappers.FlattenObservation."
        )
    return RecurrentActorCritic(kind.width, kind.actions, hidden=hidden, continuous=kind.continuous, width=sizes.width)
