"""Rounds of play by a policy with a memory, and batches of whole sequences of them.

A sequence is all that one environment played in a round, with ends of episodes inside. It is learnt from as a whole,
beginning with the state that the policy was in when it was played; gradients end at its beginning (backpropagation
through time, truncated: Hausknecht & Stone 2015, section 4.1). In later epochs that state is a little old, since the
policy has changed.

Shapes: T steps, N environments, D numbers of an observation, A of an action, H units of an LSTM, B sequences of a
batch.
"""

from typing import Any

import torch
from torch import Tensor

from torchworks.rl.algorithms.returns import advantages
from torchworks.rl.models.recurrent_actor_critic import RecurrentActorCritic
from torchworks.rl.policies.actions import actions_of
from torchworks.rl.policies.rollouts import Rollouts, Round


class RecurrentRollouts(Rollouts):
    """As `Rollouts`, but rows are sequences: `batch_size` is a number of these, and a batch has observation (B, T, D),
    starts, bool (B, T), where episodes begin, h and c (B, 2, H), the state before the first observation, and action,
    log_probability, advantage and target (B, T) or (B, T, A).

    The state (N, 2, H) of environments whose episode has just ended is zeros.
    """

    agent: RecurrentActorCritic
    _state: tuple[Tensor, Tensor] | None = None

    @property
    def rows(self) -> int:
        return self.sharing.world * len(self.environments)

    @torch.no_grad()
    def _play(self, number: int) -> Round:
        agent, envs = self.agent, self.environments
        device = next(agent.parameters()).device
        h, c = self._state or agent.empty(len(envs), device)
        played: dict[str, list[Tensor]] = {}
        begun = {"h": h, "c": c}
        starts = torch.zeros(len(envs), dtype=torch.bool, device=device)
        for t, random in enumerate(self._randoms(number)):
            observation = torch.from_numpy(envs.observation).to(device)
            made, worth, h, c = agent.step(observation, h, c)
            actions = actions_of(made, agent.log_std)
            action = actions.draw(random.to(device))
            steps = envs.step(action.cpu().numpy())
            ended, cut = (torch.from_numpy(each).to(device) for each in (steps.terminated, steps.truncated))
            ahead = torch.zeros_like(worth)
            if t == self.config.steps - 1 or steps.truncated.any():
                ahead = agent.step(torch.from_numpy(steps.last).to(device), h, c)[1]
            row = {
                "observation": observation,
                "starts": starts,
                "action": action,
                "log_probability": actions.log_probability(action),
                "value": worth.float(),
                "ahead": ahead.float(),
                "reward": torch.from_numpy(steps.reward).to(device),
                "ended": ended,
                "cut": cut,
            }
            for name, value in row.items():
                played.setdefault(name, []).append(value)
            starts = ended | cut
            h, c = (each * ~starts[:, None, None] for each in (h, c))
        self._state = h, c
        learnable = self._learnable({name: torch.stack(rows) for name, rows in played.items()})
        return self.sharing.joined(learnable | begun)

    def _learnable(self, played: dict[str, Tensor]) -> Round:
        """What is learnt from steps (T, N, …) of a round, as sequences (N, T, …)."""
        values, ahead, cut = played["value"], played["ahead"], played["cut"]
        following = torch.where(cut, ahead, values.roll(-1, 0))
        following[-1] = ahead[-1]
        gained = advantages(
            played["reward"], values, following, played["ended"], cut,
            discount=self.config.discount, trace=self.config.trace,
        )  # fmt: skip
        kept = {name: played[name] for name in ("observation", "starts", "action", "log_probability")}
        kept |= {"advantage": gained, "target": gained + values}
        return {name: value.transpose(0, 1).contiguous() for name, value in kept.items()}

    def _share(self) -> dict[str, Any]:
        return super()._share() | {"memory": self._state}

    def _load_share(self, share: dict[str, Any], device: torch.device) -> None:
        super()._load_share(share, device)
        self._state = None
        if share["memory"] is not None:
            h, c = share["memory"]
            self._state = h.to(device), c.to(device)
