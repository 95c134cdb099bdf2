"""The training of a net on games against itself.

Silver et al. 2017 (Nature 550), eq. 1: the policy learns how often the search tried each move, π, and the value what
the position turned out to be worth, z:

    loss = (z − v)² − Σ_a π(a) log p(a)

The newest state is the one to use: each is judged, but none is chosen by it.

Shapes: B positions of a batch.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.rl.environments.games.four_film import film
from torchworks.rl.environments.games.four_matches import results
from torchworks.rl.environments.games.four_opponents import Player, opponent
from torchworks.rl.models.board_net import BoardNet
from torchworks.rl.self_play.config import BoardGameConfig
from torchworks.rl.self_play.games import Games
from torchworks.rl.self_play.players import looking_player
from torchworks.shared.machine.device import Device
from torchworks.shared.task import Out, Phase, Task
from torchworks.shared.training.optim import adamw, parameter_groups

JUDGES = ("one-ply", "minimax-2", "minimax-4")
"""Opponents that a net is scored against as it learns."""


class BoardGameTask(Task):
    """Trains `net`; `positions` keeps what was played. Scores: the share of points against each of `JUDGES`."""

    exported = ("net",)

    def __init__(self, net: BoardNet, games: Games, config: BoardGameConfig, device: Device):
        self.net, self.games, self.config, self.positions = net, games, config, games.positions
        self.device = device
        self.phases = (Phase("learn", net="net", clip=config.max_norm or None),)

    def nets(self) -> dict[str, nn.Module]:
        return {"net": self.net, "positions": self.positions}

    def optimizer(self, net: str) -> Optimizer:
        lr = self.config.optim.lr
        return adamw(parameter_groups(self.net, lr, self.config.decay), lr=lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        logits, value = self.net(batch["observation"])
        policy = -(batch["shares"] * F.log_softmax(logits.float(), 1)).sum(1).mean()
        worth = F.mse_loss(value.float(), batch["value"])
        logs = {"policy": policy.detach(), "value": worth.detach(), "moves": torch.tensor(self.games.mean_length)}
        return Out(policy + self.config.value_weight * worth, logs=logs)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        numbers = batch["seed"].tolist()
        points = {name: results(self._player(), opponent(name), numbers) for name in JUDGES}
        return {score_name(name): (float(its.sum()), len(its)) for name, its in points.items()}

    def preview(self) -> dict[str, Tensor]:
        """A film of a game against alpha-beta."""
        return {"game": film(self._player(), opponent("minimax-4"), 0)}

    def _player(self) -> Player:
        """`net` as it is now, which in an evaluation may be its average, with a look one move ahead."""
        return looking_player(self.net, self.device)

    def state_dict(self) -> dict[str, Any]:
        return {"games": self.games.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.games.load_state_dict(state["games"])


def score_name(opponent: str) -> str:
    """What the score against an opponent is called."""
    return f"score_{opponent.replace('-', '_')}"
