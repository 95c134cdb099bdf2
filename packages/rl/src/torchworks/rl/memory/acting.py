"""Batches of kept steps, with some play before each: training data that change as an agent learns.

Shapes: N environments, B rows of a batch.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from torchworks.rl.environments.stepping import Environments
from torchworks.rl.memory.config import ReplayConfig
from torchworks.rl.memory.replay import Replay
from torchworks.shared.numbers.seeds import mix

Waiting = tuple[np.ndarray, Any, list[float]]
Rule = Callable[[Tensor, int, torch.Generator], Tensor]
"""From observations (N, D), the number of the batch and a generator to actions, int64 (N,) or float (N, A)."""


class Noise(Protocol):
    """Random numbers for each step of play."""

    def at(self, step: int, part: str) -> Tensor: ...


class Acting:
    """An endless loader: acts, keeps what happened, gives a batch of what was kept. `state_dict` is all that is needed
    to go on exactly, beside `replay`, which is a net."""

    def __init__(
        self,
        environments: Environments,
        rule: Rule,
        replay: Replay,
        config: ReplayConfig,
        *,
        steps: int,
        batch_size: int,
        seed: int,
        noise: Noise | None = None,
    ):
        """`noise` gives the standard normal numbers (N, A) by which random actions are drawn, if these are numbers and
        not each drawn by itself."""
        self.environments, self.rule, self.replay, self.config = environments, rule, replay, config
        self.steps, self.batch_size, self.seed, self.noise = steps, batch_size, seed, noise
        self._taken = 0  # steps of all environments so far
        self._waiting: list[list[Waiting]] = [[] for _ in range(len(environments))]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return self.iter_from(0)

    def iter_from(self, position: int) -> Iterator[dict[str, Tensor]]:
        """Batches from number `position` on; the state must be that after the batch before it."""
        device = self.replay.action.device
        while True:
            if position % self.config.updates == 0:
                while len(self.replay) < self.config.warmup:
                    self._act(self._at_random(self._chance()))
                seen = torch.from_numpy(self.environments.observation).to(device)
                self._act(self.rule(seen, position, self._chance()).cpu())
            random = torch.Generator().manual_seed(mix(self.seed, "draw", position))
            uniform = torch.rand(self.batch_size, generator=random).to(device)
            beta = self.config.beta + (1 - self.config.beta) * min(1.0, position / self.steps)
            batch = self.replay.draw(uniform, alpha=self.config.alpha, beta=beta)
            position += 1
            yield batch

    def _chance(self) -> torch.Generator:
        """What decides in the next step of play: the same for `hold` steps."""
        return torch.Generator().manual_seed(mix(self.seed, "act", self._taken // self.config.hold))

    def _at_random(self, random: torch.Generator) -> Tensor:
        """Actions of all environments, all alike probable."""
        kind, count = self.environments.kind, len(self.environments)
        if not kind.continuous:
            return torch.randint(kind.actions, (count,), generator=random)
        low, high = torch.tensor(kind.low), torch.tensor(kind.high)
        if self.noise is not None:
            uniform = torch.special.ndtr(self.noise.at(self._taken, "warm-up"))
        else:
            uniform = torch.rand(count, kind.actions, generator=random)
        return low + (high - low) * uniform

    def _act(self, action: Tensor) -> None:
        """One step of all environments; what is complete is kept."""
        envs, count = self.environments, len(self.environments)
        seen = envs.observation
        self._taken += 1
        steps = envs.step(action.numpy())
        reward = np.sign(steps.reward) if self.config.signs else steps.reward
        over = steps.terminated | steps.life_lost if self.config.life_ends else steps.terminated
        kept: list[tuple[np.ndarray, Tensor, float, float, np.ndarray]] = []
        for i in range(count):
            self._waiting[i].append((seen[i], action[i], []))
            for _, _, rewards in self._waiting[i]:
                rewards.append(float(reward[i]))
            ended = bool(over[i] or steps.truncated[i])
            ready = len(self._waiting[i]) if ended else int(len(self._waiting[i]) == self.config.n_step)
            for observation, chosen, rewards in self._waiting[i][:ready]:
                gained = sum(reward * self.config.discount**k for k, reward in enumerate(rewards))
                discount = 0.0 if over[i] else self.config.discount ** len(rewards)
                kept.append((observation, chosen, gained, discount, steps.last[i]))
            del self._waiting[i][:ready]
        if kept:
            observations, actions, gains, discounts, following = zip(*kept, strict=True)
            self.replay.add(
                torch.from_numpy(np.stack(observations)),
                torch.stack(actions),
                torch.tensor(gains),
                torch.tensor(discounts),
                torch.from_numpy(np.stack(following)),
            )

    def state_dict(self) -> dict[str, Any]:
        waiting = [
            [(torch.from_numpy(seen.copy()), action.clone(), list(rewards)) for seen, action, rewards in each]
            for each in self._waiting
        ]
        return {
            "environments": self.environments.state_dict(),
            "taken": self._taken,
            "waiting": waiting,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.environments.load_state_dict(state["environments"])
        self._taken = state["taken"]
        self._waiting = [
            [(np.asarray(seen, dtype=np.float32), action, list(rewards)) for seen, action, rewards in each]
            for each in state["waiting"]
        ]
