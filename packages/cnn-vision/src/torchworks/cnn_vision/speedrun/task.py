"""The task of the recipe `speed`: classification with a learning rate for each kind of parameter.

Shape letters: N images, K classes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.cnn_vision.classification.task import Classification
from torchworks.cnn_vision.models.airbench import AirNet
from torchworks.cnn_vision.speedrun.config import SpeedConfig
from torchworks.shared.task import Out
from torchworks.shared.training.evaluation import swapped
from torchworks.shared.training.optim import Muon, adamw, sgd


class Speed(Classification):
    """Classification with three learning rates. With `tta` the mean over mirror images is scored; the biases of an
    `AirNet`'s whitening are trained in the first `whitening_steps` only."""

    watch = None  # the last state is the one to keep: the learning rate has decayed to 0

    def __init__(self, model: nn.Module, num_classes: int, config: SpeedConfig, whitening_steps: float):
        super().__init__(model, num_classes, lr=config.optim.lr, label_smoothing=config.label_smoothing)
        self.config, self.whitening_steps = config, whitening_steps

    def optimizer(self, net: str) -> Optimizer:
        config, groups = self.config, parameter_groups(self.model, self.config)
        if config.optimizer == "adamw":
            return adamw(groups, lr=self.lr)
        if config.optimizer == "sgd":
            return sgd(groups, lr=self.lr, momentum=config.momentum, nesterov=True)
        groups[0] |= {"orthogonal": True, "momentum": config.kernel_momentum}
        return Muon(groups, lr=self.lr, momentum=config.momentum)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        if isinstance(self.model, AirNet):  # and not its data-parallel wrapper, which wants all gradients at every step
            self.model.train_whitening = self.step < self.whitening_steps
        return super().loss(phase, batch)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        if not self.config.tta:
            return super().evaluate(batch)
        with swapped(self, {"model": Mirrored(self.model)}):
            return super().evaluate(batch)


def parameter_groups(net: nn.Module, config: SpeedConfig) -> list[dict[str, Any]]:
    """Kernels of convolutions, matrices and biases, each with its learning rate; biases do not decay."""
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    kernels = [parameter for parameter in trained if parameter.ndim > 2]
    matrices = [parameter for parameter in trained if parameter.ndim == 2]
    biases = [parameter for parameter in trained if parameter.ndim < 2]
    lr, decay = config.optim.lr, config.weight_decay
    return [
        {"params": kernels, "lr": lr, "weight_decay": decay},
        {"params": matrices, "lr": lr if config.head_lr is None else config.head_lr, "weight_decay": decay},
        {"params": biases, "lr": lr if config.bias_lr is None else config.bias_lr, "weight_decay": 0.0},
    ]


class Mirrored(nn.Module):
    """Logits whose softmax is the mean of a net's probabilities for an image and for its mirror image."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        both = torch.stack([self.net(x), self.net(x.flip(-1))])  # (2, N, K)
        return both.float().log_softmax(-1).logsumexp(0)
