"""The training of a policy on the steps it has just played: REINFORCE, A2C and PPO in one task.

The losses are in algorithms/, the steps come from rollouts.py. A round of play is learnt from in `epochs` passes; each
batch is a step of the optimizer.

Shapes: B steps of a batch, D numbers of an observation.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.rl.algorithms.a2c import actor_loss, critic_loss
from torchworks.rl.algorithms.ppo import clipped_loss, divergence, share_clipped
from torchworks.rl.algorithms.reinforce import reinforce_loss
from torchworks.rl.algorithms.returns import normalized
from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.playing_task import PlayingTask
from torchworks.rl.models.actor_critic import ActorCritic
from torchworks.rl.models.recurrent_actor_critic import RecurrentActorCritic
from torchworks.rl.policies.actions import Choices, Gaussian, actions_of
from torchworks.rl.policies.config import PolicyConfig
from torchworks.rl.policies.rollouts import Rollouts
from torchworks.shared.task import Out, Phase
from torchworks.shared.training.optim import adam


class PolicyTask(PlayingTask):
    """Trains `agent`, whose best actions are the most probable ones."""

    exported = ("agent",)

    def __init__(self, agent: ActorCritic | RecurrentActorCritic, rollouts: Rollouts, kind: Kind, config: PolicyConfig):
        self.agent, self.rollouts, self.kind, self.config = agent, rollouts, kind, config
        whole = config.rollout.normalize  # a mean over the batch, in which its rows answer to each other
        self.phases = (Phase("learn", net="agent", clip=config.max_norm or None, whole_batch=whole),)

    def nets(self) -> dict[str, nn.Module]:
        return {"agent": self.agent}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.agent.parameters(), lr=self.config.optim.lr, eps=1e-5)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        made, value = self.agent(batch["observation"].float())
        return self._loss(made, value, batch)

    def _loss(self, made: Tensor, value: Tensor, batch: dict[str, Tensor]) -> Out:
        """Of what the agent makes of the observations of `batch`, (B, A), and their values (B,)."""
        actions, advantage = actions_of(made, self.rollouts.agent.log_std), batch["advantage"]
        if self.config.rollout.normalize:
            advantage = normalized(self.gather(advantage))[self.rollouts.sharing.own(len(advantage))]
        critic = critic_loss(value.float(), batch["target"])
        policy, logs = self._policy_loss(actions, batch, advantage)
        logs |= {"value": critic.detach(), "entropy": actions.entropy().mean().detach()}
        logs["return"] = torch.tensor(self.rollouts.environments.mean_return)
        return Out(policy + self.config.value_weight * critic, logs=logs)

    def _policy_loss(
        self, actions: Choices | Gaussian, batch: dict[str, Tensor], advantage: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        log_probability = actions.log_probability(batch["action"])
        if self.config.algorithm == "reinforce":
            return reinforce_loss(log_probability, advantage), {}
        weight = self.entropy_weight
        if self.config.algorithm == "a2c":
            return actor_loss(log_probability, advantage, actions.entropy(), entropy_weight=weight), {}
        log_ratio, clip = log_probability - batch["log_probability"], self.config.ppo_clip
        loss = clipped_loss(log_ratio.exp(), advantage, clip=clip)
        if weight:
            loss = loss - weight * actions.entropy().mean()
        far = log_ratio.detach()
        return loss, {"clipped": share_clipped(far.exp(), clip=clip), "divergence": divergence(far)}

    @property
    def entropy_weight(self) -> float:
        """The entropy's weight at this step."""
        done = self.step / max(1, self.config.trainer.steps)
        return self.config.entropy_weight * (1 + done * (self.config.entropy_end - 1))

    def greedy(self, observations: np.ndarray) -> np.ndarray:
        """The most probable actions."""
        device = next(self.agent.parameters()).device
        with torch.no_grad():
            made, _ = self.agent(torch.from_numpy(observations).to(device))
            return actions_of(made, self.rollouts.agent.log_std).best().cpu().numpy()

    def state_dict(self) -> dict[str, Any]:
        return {"rollouts": self.rollouts.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rollouts.load_state_dict(state["rollouts"])
