"""Q-learning: one step of the net of values on a batch of kept steps, against a target that lags behind.

The targets are in algorithms/dqn.py and algorithms/c51.py, the batches come from acting.py. Before each step the target
moves by `polyak` to the net (Lillicrap et al. 2016, "Continuous control with deep reinforcement learning", algorithm
1).

Shapes: B rows of a batch, A actions, K atoms.
"""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.rl.algorithms.c51 import cross_entropy, projected
from torchworks.rl.algorithms.dqn import bootstrapped, huber
from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.playing_task import PlayingTask
from torchworks.rl.memory.acting import Acting
from torchworks.rl.models.q_net import QNet, values_of
from torchworks.rl.q_learning.config import QConfig
from torchworks.shared.task import Out, Phase
from torchworks.shared.training.optim import adam


class QTask(PlayingTask):
    """Trains `q`; `target` follows it, `replay` keeps the steps. The best actions are those of the
    largest value."""

    exported = ("q",)

    def __init__(self, q: QNet, acting: Acting, support: Tensor, kind: Kind, config: QConfig):
        self.q, self.acting, self.support, self.kind, self.config = q, acting, support, kind, config
        self.target, self.replay = copy.deepcopy(q).requires_grad_(False), acting.replay
        self.phases = (Phase("learn", net="q", clip=config.max_norm or None),)
        self._moved = -1

    def nets(self) -> dict[str, nn.Module]:
        return {"q": self.q, "target": self.target, "replay": self.replay}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.q.parameters(), lr=self.config.optim.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        self._move_target()
        support = self.support.to(batch["reward"].device)
        made = self.q(batch["observation"]).float()
        with torch.no_grad():
            following = self.target(batch["following"]).float()
            chooser = self.q(batch["following"]).float() if self.config.double else following
            choice = values_of(chooser, support)
        rows = torch.arange(len(made), device=made.device)
        if made.ndim == 3:
            probability = following.softmax(2)[rows, choice.argmax(1)]
            target = projected(probability, batch["reward"], batch["discount"], support)
            losses = cross_entropy(made[rows, batch["action"]].log_softmax(1), target)
            errors = losses.detach()
        else:
            wanted = bootstrapped(batch["reward"], batch["discount"], following, choice)
            errors = made[rows, batch["action"]] - wanted
            losses = huber(errors)
        if self.config.replay.alpha:
            self.replay.surprise(batch["index"], errors.detach())
        logs = {
            "q": values_of(made.detach(), support).amax(1).mean(),
            "return": torch.tensor(self.acting.environments.mean_return),
        }
        return Out((batch["weight"] * losses).mean(), logs=logs)

    @torch.no_grad()
    def _move_target(self) -> None:
        if self._moved != self.step:
            self._moved = self.step
            torch._foreach_lerp_(list(self.target.parameters()), list(self.q.parameters()), self.config.polyak)

    def greedy(self, observations: np.ndarray) -> np.ndarray:
        """The actions of the largest value."""
        device = next(self.q.parameters()).device
        with torch.no_grad():
            made = self.q(torch.from_numpy(observations).to(device)).float()
            return values_of(made, self.support.to(device)).argmax(1).cpu().numpy()

    def state_dict(self) -> dict[str, Any]:
        return {"acting": self.acting.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.acting.load_state_dict(state["acting"])
