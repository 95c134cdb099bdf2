"""The steps that are taken with the gradients of workers, each as it arrives."""

from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.rl.algorithms.a3c import loss_of_gradient
from torchworks.rl.asynchronous.workers import Workers
from torchworks.rl.environments.playing import Rule
from torchworks.rl.environments.playing_task import PlayingTask
from torchworks.rl.policies.task import PolicyTask
from torchworks.shared.task import Out


class AsynchronousTask(PlayingTask):
    """Trains the `agent` of `player`, which says how it plays, by what `workers` have found."""

    exported = ("agent",)
    units = "steps"

    def __init__(self, player: PolicyTask, workers: Workers):
        self.player, self.agent, self.workers, self.kind = player, player.agent, workers, player.kind
        self.phases = player.phases

    def nets(self) -> dict[str, nn.Module]:
        return {"agent": self.agent}

    def optimizer(self, net: str) -> Optimizer:
        return self.player.optimizer(net)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        told = {name: value[0] for name, value in batch.items()}
        gradient, value, steps = (told.pop(name) for name in ("gradient", "loss", "steps"))
        return Out(loss_of_gradient(self.agent.parameters(), gradient, value), weight=int(steps), logs=told)

    @property
    def rule(self) -> Rule:
        return self.player.rule

    def example(self, rows: int) -> dict[str, Tensor]:
        return self.player.example(rows)
