"""SAC and TD3: critics learn from kept steps, the policy learns from the critics.

The losses are in algorithms/sac.py and algorithms/td3.py, the batches come from memory/acting.py. Nets see actions in
[−1, 1], whatever the environment's limits are.

Shapes: B rows of a batch, A numbers of an action.
"""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.rl.actor_critic.config import ActorConfig
from torchworks.rl.actor_critic.drawing import Drawing
from torchworks.rl.algorithms.sac import soft_actor_loss, soft_target, squashed, temperature_loss
from torchworks.rl.algorithms.td3 import critic_loss, smoothed
from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.playing_task import PlayingTask
from torchworks.rl.memory.acting import Acting
from torchworks.rl.models.twin_critics import NumberPolicy, Temperature, TwinCritics
from torchworks.shared.task import Out, Phase
from torchworks.shared.training.optim import adam


class ActorTask(PlayingTask):
    """Trains `actor`, `critics` and, with SAC, `temperature`; `target` and with TD3 `slow_actor` follow, `replay` keeps
    the steps. The best actions are the actor's mean ones."""

    exported = ("actor",)

    def __init__(
        self,
        actor: NumberPolicy,
        critics: TwinCritics,
        acting: Acting,
        drawing: Drawing,
        kind: Kind,
        config: ActorConfig,
    ):
        self.actor, self.critics, self.acting, self.drawing = actor, critics, acting, drawing
        self.kind, self.config, self.replay = kind, config, acting.replay
        self.target = copy.deepcopy(critics).requires_grad_(False)
        self.soft = config.algorithm == "sac"
        if self.soft:
            self.temperature, learnt = Temperature(), Phase("temperature", net="temperature")
            self.phases = (Phase("critics", net="critics"), Phase("actor", net="actor"), learnt)
        else:
            self.slow_actor = copy.deepcopy(actor).requires_grad_(False)
            self.phases = (Phase("critics", net="critics"), Phase("actor", net="actor", every=config.delay))
        self._moved = -1

    def nets(self) -> dict[str, nn.Module]:
        others = {"temperature": self.temperature} if self.soft else {"slow_actor": self.slow_actor}
        return {"actor": self.actor, "critics": self.critics, "target": self.target, "replay": self.replay} | others

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.nets()[net].parameters(), lr=self.config.optim.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        self._move_targets()
        if phase == "critics":
            return self._critics(batch)
        if phase == "actor":
            return self._actor(batch["observation"])
        _, log_probability = self._drawn(batch["observation"])
        entropy = -float(self.kind.actions)
        loss = temperature_loss(self.temperature(), log_probability.detach(), entropy=entropy)
        return Out(loss, logs={"temperature": self.temperature.log.detach().exp()})

    def _critics(self, batch: dict[str, Tensor]) -> Out:
        with torch.no_grad():
            if self.soft:
                action, log_probability = self._drawn(batch["following"])
                following = self.target(batch["following"], action).amin(0)
                alpha = self.temperature.log.exp()
                wanted = soft_target(batch["reward"], batch["discount"], following, log_probability, temperature=alpha)
            else:
                mean, _ = self.slow_actor(batch["following"])
                normal, spread = self.random.normal(len(mean), mean.shape[1]), self.config.smoothing
                action = smoothed(mean.tanh(), normal, noise=spread, limit=2.5 * spread)
                following = self.target(batch["following"], action).amin(0)
                wanted = batch["reward"] + batch["discount"] * following
        values = self.critics(batch["observation"], self.drawing.to_unit(batch["action"]))
        logs = {"value": values.detach().mean(), "return": torch.tensor(self.acting.environments.mean_return)}
        return Out(critic_loss(values, wanted), logs=logs)

    def _actor(self, observation: Tensor) -> Out:
        if not self.soft:
            mean, _ = self.actor(observation)
            return Out(-self.critics(observation, mean.tanh())[0].mean())
        action, log_probability = self._drawn(observation)
        value, alpha = self.critics(observation, action).amin(0), self.temperature.log.detach().exp()
        loss = soft_actor_loss(log_probability, value, temperature=alpha)
        return Out(loss, logs={"entropy": -log_probability.detach().mean()})

    def _drawn(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.actor(observation)
        return squashed(mean, log_std, self.random.normal(len(mean), mean.shape[1]))

    @torch.no_grad()
    def _move_targets(self) -> None:
        if self._moved != self.step:
            self._moved = self.step
            pairs = (
                [(self.target, self.critics)]
                if self.soft
                else [(self.target, self.critics), (self.slow_actor, self.actor)]
            )
            for slow, net in pairs:
                torch._foreach_lerp_(list(slow.parameters()), list(net.parameters()), self.config.polyak)

    def greedy(self, observations: np.ndarray) -> np.ndarray:
        """The actor's mean actions, within the environment's limits."""
        with torch.no_grad():
            mean, _ = self.actor(torch.from_numpy(observations).to(next(self.actor.parameters()).device))
            return self.drawing.to_limits(mean.tanh()).cpu().numpy()

    def state_dict(self) -> dict[str, Any]:
        return {"acting": self.acting.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.acting.load_state_dict(state["acting"])
