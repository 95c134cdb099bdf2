"""Rounds of play, and batches of what was played: the training data of a policy, which change as it learns.

Shapes: T steps, N environments, D numbers of an observation, A of an action.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.rl.algorithms.returns import advantages
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.models.actor_critic import ActorCritic
from torchworks.rl.models.recurrent_actor_critic import RecurrentActorCritic
from torchworks.rl.policies.actions import actions_of, noise_for
from torchworks.rl.policies.config import RolloutConfig
from torchworks.rl.policies.sharing import Sharing
from torchworks.shared.numbers.seeds import mix

Round = dict[str, Tensor]


class Rollouts:
    """An endless loader: plays a round by `agent`, gives batches of it in `epochs` random orders, plays the next one.

    A batch has observation (B, D), action (B,) or (B, A), log_probability (B,), advantage (B,) and target (B,), the
    advantage plus the value of before. `state_dict` is all that is needed to go on exactly.
    """

    def __init__(
        self,
        environments: Environments,
        agent: ActorCritic | RecurrentActorCritic,
        config: RolloutConfig,
        *,
        batch_size: int,
        seed: int,
        sharing: Sharing = Sharing(),  # noqa: B008 (it is frozen)
    ):
        self.environments, self.agent, self.config, self.seed = environments, agent, config, seed
        self.sharing = sharing
        self.batch_size = batch_size
        self._round: Round | None = None
        self._shuffled: tuple[tuple[int, int], Round] = ((-1, -1), {})  # round and epoch, and the round in their order

    @property
    def rows(self) -> int:
        """Of a round, of all processes."""
        return self.sharing.world * len(self.environments) * self.config.steps

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return self.iter_from(0)

    def iter_from(self, position: int) -> Iterator[dict[str, Tensor]]:
        """Batches from number `position` on; the state must be that after the batch before it."""
        each = self.rows // (self.sharing.world * self.batch_size)
        while True:
            round_number, within = divmod(position, each * self.config.epochs)
            if within == 0 or self._round is None:
                self._round = self._play(round_number)
            epoch, batch = divmod(within, each)
            if self._shuffled[0] != (round_number, epoch):
                self._shuffled = (round_number, epoch), self._in_order(round_number, epoch)
            everyones = self.sharing.world * self.batch_size
            begin, own = batch * everyones, self.sharing.own(self.batch_size)
            position += 1
            yield {name: value[begin : begin + everyones][own] for name, value in self._shuffled[1].items()}

    def _in_order(self, number: int, epoch: int) -> Round:
        """The present round in the order of an epoch."""
        assert self._round is not None
        order = torch.randperm(self.rows, generator=_generator(self.seed, "order", number, epoch))
        order = order.to(self._round["advantage"].device)
        return {name: value[order] for name, value in self._round.items()}

    @torch.no_grad()
    def _play(self, number: int) -> Round:
        """A round by the present policy."""
        device = next(self.agent.parameters()).device
        envs = self.environments
        seen, taken, outputs, value, after = [], [], [], [], []
        rewards, terminated, truncated = [], [], []
        for random in self._randoms(number):
            observation = torch.from_numpy(envs.observation).to(device)
            made, worth = self.agent(observation)
            actions = actions_of(made, self.agent.log_std)
            action = actions.draw(random.to(device))
            steps = envs.step(action.cpu().numpy())
            seen.append(observation.byte() if envs.kind.most else observation)  # a fourth of the room
            taken.append(action)
            outputs.append(made)
            value.append(worth.float())
            after.append(steps.last)
            rewards.append(np.sign(steps.reward) if self.config.signs else steps.reward)
            terminated.append(steps.terminated | steps.life_lost if self.config.life_ends else steps.terminated)
            truncated.append(steps.truncated)
        values, ended = torch.stack(value), torch.from_numpy(np.stack(terminated)).to(device)
        cut = torch.from_numpy(np.stack(truncated)).to(device)
        following = self._following(values, torch.from_numpy(np.stack(after)).to(device), cut)
        advantage = advantages(
            torch.from_numpy(np.stack(rewards)).to(device),
            values,
            following,
            ended,
            cut,
            discount=self.config.discount,
            trace=self.config.trace,
        )
        log_probability = actions_of(torch.cat(outputs), self.agent.log_std).log_probability(torch.cat(taken))
        found = {
            "observation": torch.stack(seen),
            "action": torch.stack(taken),
            "log_probability": log_probability.view_as(advantage),
            "advantage": advantage,
            "target": advantage + values,
        }
        return {name: tensor.flatten(0, 1) for name, tensor in self.sharing.joined(found, 1).items()}

    def _randoms(self, number: int) -> Iterator[Tensor]:
        """Random numbers by which the environments' actions are drawn in each step of a round."""
        kind, noise = self.environments.kind, _generator(self.seed, "play", number)
        own, count = self.sharing.own(len(self.environments)), self.sharing.world * len(self.environments)
        for _ in range(self.config.steps):
            yield noise_for(count, kind.actions, continuous=kind.continuous, generator=noise)[own]

    def _following(self, values: Tensor, after: Tensor, truncated: Tensor) -> Tensor:
        """V(s'_t) (T, N). It is the next row's V but in the last row, and where an episode was cut off."""
        following = values.roll(-1, 0)
        following[-1] = self.agent(after[-1])[1].float()
        if truncated[:-1].any():
            following[:-1][truncated[:-1]] = self.agent(after[:-1][truncated[:-1]])[1].float()
        return following

    def state_dict(self) -> dict[str, Any]:
        return self.sharing.collected(self._share()) | {"round": self._round}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        device = next(self.agent.parameters()).device
        self._load_share(self.sharing.taken(state), device)
        held = state["round"]
        self._round = None if held is None else {name: value.to(device) for name, value in held.items()}
        self._shuffled = (-1, -1), {}

    def _share(self) -> dict[str, Any]:
        """The state of this process's environments."""
        return {"environments": self.environments.state_dict()}

    def _load_share(self, share: dict[str, Any], device: torch.device) -> None:
        self.environments.load_state_dict(share["environments"])


def _generator(*parts: int | str) -> torch.Generator:
    return torch.Generator().manual_seed(mix(*parts))
