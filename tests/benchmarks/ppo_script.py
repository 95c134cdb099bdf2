"""PPO in one file with PyTorch and Gymnasium alone, as short scripts that teach it are written: what our training is
measured beside. It keeps no state, logs nothing and cannot be resumed."""

from collections import deque
from collections.abc import Callable

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Categorical


def layer(inputs: int, outputs: int, gain: float = 2**0.5) -> nn.Linear:
    made = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(made.weight, gain)
    nn.init.zeros_(made.bias)
    return made


class Script:
    """`round_of_training` plays `steps` steps of each environment and learns from them. `fraction` says what share of
    the learning rate is left."""

    def __init__(
        self, *, environments: int, steps: int, epochs: int, batch: int, lr: float, discount: float, trace: float,
        clip: float, value_weight: float, max_norm: float, seed: int, fraction: Callable[[int], float],
    ):  # fmt: skip
        torch.manual_seed(seed)
        self.options = environments, steps, epochs, batch, discount, trace, clip, value_weight, max_norm
        self.envs = gymnasium.make_vec("CartPole-v1", num_envs=environments, vectorization_mode="sync")
        observations, actions = 4, 2
        self.policy = nn.Sequential(
            layer(observations, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, actions, 0.01)
        )
        self.value = nn.Sequential(layer(observations, 64), nn.Tanh(), layer(64, 64), nn.Tanh(), layer(64, 1, 1.0))
        self.parameters = [*self.policy.parameters(), *self.value.parameters()]
        self.optimizer = torch.optim.Adam(self.parameters, lr=lr, eps=1e-5)
        self.lr, self.fraction, self.rounds = lr, fraction, 0
        self.seen = torch.as_tensor(self.envs.reset(seed=seed)[0])
        self.over = torch.zeros(environments, dtype=torch.bool)  # the next step only resets
        self.returns, self.finished = np.zeros(environments), deque(maxlen=20)

    def round_of_training(self) -> None:
        environments, steps, epochs, batch, discount, trace, clip, value_weight, max_norm = self.options
        seen, taken, logs, values, rewards, stops, counts = [], [], [], [], [], [], []
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * self.fraction(self.rounds)
        self.rounds += 1
        with torch.no_grad():
            for _ in range(steps):
                choice, value = Categorical(logits=self.policy(self.seen)), self.value(self.seen).squeeze(1)
                action = choice.sample()
                after, reward, terminated, truncated, _ = self.envs.step(action.numpy())
                counts.append(~self.over)
                seen.append(self.seen), taken.append(action), logs.append(choice.log_prob(action)), values.append(value)
                rewards.append(torch.as_tensor(reward, dtype=torch.float32)), stops.append(torch.as_tensor(terminated))
                self.seen, self.over = torch.as_tensor(after), torch.as_tensor(terminated | truncated)
                self.returns += reward
                self.finished.extend(self.returns[self.over.numpy()])
                self.returns[self.over.numpy()] = 0
            values.append(self.value(self.seen).squeeze(1))
            gained, later = [torch.zeros(environments)] * steps, torch.zeros(environments)
            counts.append(~self.over)
            for t in reversed(range(steps)):
                delta = rewards[t] + discount * values[t + 1] * ~stops[t] - values[t]
                later = delta + discount * trace * counts[t + 1] * later
                gained[t] = later
        kept = torch.cat(counts[:steps])  # steps that only reset are none to learn from
        x, a, log, advantage, value = (torch.cat(each[:steps])[kept] for each in (seen, taken, logs, gained, values))
        target = advantage + value
        for _ in range(epochs):
            order = torch.randperm(len(x))
            for begin in range(0, steps * environments, batch):
                index = order[begin : begin + batch]
                if len(index) < 2:
                    continue
                rows = (each[index] for each in (x, a, log, advantage, target))
                self._learn(*rows, clip=clip, weight=value_weight, max_norm=max_norm)

    def _learn(
        self, x: Tensor, a: Tensor, log: Tensor, advantage: Tensor, target: Tensor, *, clip: float, weight: float,
        max_norm: float,
    ) -> None:  # fmt: skip
        choice, value = Categorical(logits=self.policy(x)), self.value(x).squeeze(1)
        ratio = (choice.log_prob(a) - log).exp()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        policy_loss = -torch.min(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()
        loss = policy_loss + weight * (value - target).square().mean() / 2
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, max_norm)
        self.optimizer.step()

    @property
    def mean_return(self) -> float:
        """Of the 20 episodes that ended last; 0 while there are fewer."""
        return float(np.mean(self.finished)) if len(self.finished) == 20 else 0.0
