"""What the tasks of this package have in common: one net that reads images, trained by AdamW."""

from functools import partial

from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.cnn_vision.finetuning.schedule import Finetuning
from torchworks.shared.task import Task
from torchworks.shared.training.optim import adamw, parameter_groups


class VisionTask(Task):
    """Trains `model`, from images (N, C, S, S) to logits (N, K); `finetuning` says which layers of a pretrained model
    change. A subclass gives the loss of the `logits`."""

    def __init__(self, model: nn.Module, *, lr: float, weight_decay: float, finetuning: Finetuning | None):
        self.model = model
        self.lr, self.weight_decay, self.finetuning = lr, weight_decay, finetuning

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        groups = self.finetuning.groups if self.finetuning else partial(parameter_groups, self.model)
        return adamw(groups(self.lr, self.weight_decay), lr=self.lr)

    def logits(self, images: Tensor) -> Tensor:
        """(N, K) in float32, in training."""
        if self.finetuning:
            self.finetuning.apply(self.step)
        return self.model(images).float()
