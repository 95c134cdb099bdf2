"""Batches of kept steps, with some play before each: the training data of Q-learning, which change as it learns.

Shapes: N environments, B rows of a batch.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.rl.environments.stepping import Environments
from torchworks.rl.models.q_net import QNet, values_of
from torchworks.rl.q_learning.config import ReplayConfig
from torchworks.rl.q_learning.replay import Replay
from torchworks.shared.numbers.seeds import mix

_REMEMBERED = 20
Waiting = tuple[np.ndarray, int, list[float]]


class Acting:
    """An endless loader: acts, keeps what happened, gives a batch of what was kept. `state_dict` is all that is needed
    to go on exactly, beside `replay`, which is a net."""

    def __init__(
        self,
        environments: Environments,
        q: QNet,
        replay: Replay,
        config: ReplayConfig,
        support: Tensor,
        *,
        steps: int,
        batch_size: int,
        seed: int,
    ):
        self.environments, self.q, self.replay, self.config, self.support = environments, q, replay, config, support
        self.steps, self.batch_size, self.seed = steps, batch_size, seed
        self.returns: list[float] = []
        """Returns of the `_REMEMBERED` episodes that ended last."""
        self._waiting: list[list[Waiting]] = [[] for _ in range(len(environments))]

    @property
    def mean_return(self) -> float:
        """Of the episodes that ended last; while none has ended, of those being played."""
        return float(np.mean(self.returns or self.environments.returns))

    def exploration(self, position: int) -> float:
        """ε before batch number `position`: from the first value to the last, in a line, over a share of all steps."""
        done = min(1.0, position / max(1.0, self.config.explored * self.steps))
        return self.config.epsilon + done * (self.config.epsilon_end - self.config.epsilon)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return self.iter_from(0)

    def iter_from(self, position: int) -> Iterator[dict[str, Tensor]]:
        """Batches from number `position` on; the state must be that after the batch before it."""
        device = self.replay.action.device
        while True:
            random = torch.Generator().manual_seed(mix(self.seed, "act", position))
            if position % self.config.updates == 0:
                self._act(self.exploration(position), random)
                while len(self.replay) < self.config.warmup:
                    self._act(1.0, random)
            uniform = torch.rand(self.batch_size, generator=random).to(device)
            beta = self.config.beta + (1 - self.config.beta) * min(1.0, position / self.steps)
            batch = self.replay.draw(uniform, alpha=self.config.alpha, beta=beta)
            position += 1
            yield batch

    @torch.no_grad()
    def _act(self, epsilon: float, random: torch.Generator) -> None:
        """One step of all environments: the best action or, with probability ε, any."""
        envs, count = self.environments, len(self.environments)
        seen = envs.observation
        device = self.replay.action.device
        best = values_of(self.q(torch.from_numpy(seen).to(device)), self.support.to(device)).argmax(1).cpu()
        other = torch.randint(envs.kind.actions, (count,), generator=random)
        action = torch.where(torch.rand(count, generator=random) < epsilon, other, best).numpy()
        envs.finished.clear()
        steps = envs.step(action)
        self.returns = [*self.returns, *envs.finished][-_REMEMBERED:]
        kept: list[tuple[np.ndarray, int, float, float, np.ndarray]] = []
        for i in range(count):
            self._waiting[i].append((seen[i], int(action[i]), []))
            for _, _, rewards in self._waiting[i]:
                rewards.append(float(steps.reward[i]))
            ended = bool(steps.terminated[i] or steps.truncated[i])
            ready = len(self._waiting[i]) if ended else int(len(self._waiting[i]) == self.config.n_step)
            for observation, chosen, rewards in self._waiting[i][:ready]:
                gained = sum(reward * self.config.discount**k for k, reward in enumerate(rewards))
                discount = 0.0 if steps.terminated[i] else self.config.discount ** len(rewards)
                kept.append((observation, chosen, gained, discount, steps.last[i]))
            del self._waiting[i][:ready]
        if kept:
            observations, actions, gains, discounts, following = zip(*kept, strict=True)
            self.replay.add(
                torch.from_numpy(np.stack(observations)),
                torch.tensor(actions),
                torch.tensor(gains),
                torch.tensor(discounts),
                torch.from_numpy(np.stack(following)),
            )

    def state_dict(self) -> dict[str, Any]:
        waiting = [[(seen.tolist(), action, list(rewards)) for seen, action, rewards in each] for each in self._waiting]
        return {"environments": self.environments.state_dict(), "returns": self.returns, "waiting": waiting}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.environments.load_state_dict(state["environments"])
        self.returns = list(state["returns"])
        self._waiting = [
            [(np.asarray(seen, dtype=np.float32), action, list(rewards)) for seen, action, rewards in each]
            for each in state["waiting"]
        ]
