"""The training of a policy with a memory: as policies/task.py, on whole sequences of steps.

Shapes: B sequences of a batch, T steps, N observations, D numbers each, H units of an LSTM.
"""

import numpy as np
import torch
from torch import Tensor

from torchworks.rl.environments.playing import Rule
from torchworks.rl.environments.remembering import Remembering
from torchworks.rl.models.recurrent_actor_critic import RecurrentActorCritic
from torchworks.rl.policies.actions import actions_of
from torchworks.rl.policies.task import PolicyTask
from torchworks.shared.task import Out


class RecurrentPolicyTask(PolicyTask):
    """Trains `agent`, which plays with a memory."""

    agent: RecurrentActorCritic
    units = "steps"

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        made, value = self.agent(batch["observation"], batch["starts"], batch["h"], batch["c"])
        steps = {name: batch[name].flatten(0, 1) for name in ("action", "log_probability", "advantage", "target")}
        out = self._loss(made.flatten(0, 1), value.flatten(), steps)
        return Out(out.loss, weight=value.numel(), logs=out.logs)

    @property
    def rule(self) -> Rule:
        return Remembering(self._remember, [each[0].numpy() for each in self.agent.empty(1)])

    @torch.no_grad()
    def _remember(self, seen: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
        """The most probable actions, and the state after them."""
        device = next(self.agent.parameters()).device
        made, _, *state = self.agent.step(*(torch.from_numpy(each).to(device) for each in (seen, h, c)))
        best = actions_of(made, self.agent.log_std).best()
        return tuple(each.cpu().numpy() for each in (best, *state))

    def example(self, rows: int) -> dict[str, Tensor]:
        """Nothing is remembered in even rows, anything in odd ones."""
        random = torch.Generator().manual_seed(0)
        states = {name: torch.randn(rows, 2, self.agent.hidden, generator=random) / 4 for name in ("hidden", "cell")}
        for state in states.values():
            state[::2] = 0
        return states
