"""A trained policy with a memory as it is used: an observation and what is remembered, to an action and what is
remembered next. Whoever asks keeps the state.

Shapes: N observations, D numbers each, A actions or numbers of an action, H units of an LSTM.
"""

from typing import cast

import torch
from torch import Tensor

from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.signature import within_reach
from torchworks.rl.models.recurrent_actor_critic import RecurrentActorCritic
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec


class RecurrentPredictor(Predictor):
    """observation (N, D), hidden and cell (N, 2, H), left out where an episode begins → what `ChoicePredictor` or
    `NumberPredictor` answers, and next_hidden and next_cell, to be given with the next observation."""

    low: Tensor
    high: Tensor

    def __init__(self, net: RecurrentActorCritic, signature: Signature, kind: Kind):
        super().__init__(net, signature)
        self.continuous = kind.continuous
        self.register_buffer("low", torch.tensor(kind.low), persistent=False)
        self.register_buffer("high", torch.tensor(kind.high), persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        observation, hidden, cell = inputs
        made, value, hidden, cell = cast(RecurrentActorCritic, self.net).step(within_reach(observation), hidden, cell)
        if self.continuous:
            action = torch.minimum(torch.maximum(made.float(), self.low), self.high)
            return action, value.float(), hidden, cell
        return made.argmax(1), made.float().softmax(1), value.float(), hidden, cell


def with_states(signature: Signature, hidden: int) -> Signature:
    """`signature` with the two states of LSTMs of `hidden` units."""
    names, shape = ("hidden", "cell"), ("N", 2, hidden)
    given = (TensorSpec(name, "state", "float32", shape, default=0.0) for name in names)
    answered = (TensorSpec(f"next_{name}", "state", "float32", shape) for name in names)
    return Signature((*signature.inputs, *given), (*signature.outputs, *answered))
