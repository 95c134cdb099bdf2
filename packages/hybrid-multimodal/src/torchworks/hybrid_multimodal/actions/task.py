"""The task of action recognition.

Shape letters: N films, T frames, C channels, S pixels along a frame, K classes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.shared.data.augment import Augment, flip, shift
from torchworks.shared.numbers.stream import SampleRandom
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


def normalized(clip: Tensor) -> Tensor:
    """Films uint8 (N, T, C, S, S) as nets take them, float (N, C, T, S, S) in [-1, 1]."""
    return clip.transpose(1, 2).float() / 127.5 - 1


class Recognition(Task):
    """Batches have a "clip" uint8 (N, T, C, S, S) and a "label" (N,). Score: `accuracy`.

    Training films are moved by up to `pixels`, and mirrored if `mirrored`, all frames alike."""

    watch, watch_mode = "accuracy", "max"
    units = "films"

    def __init__(self, model: nn.Module, *, lr: float, weight_decay: float, pixels: int = 0, mirrored: bool = False):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.augment: list[Augment] = [shift(pixels)] * bool(pixels) + [flip()] * mirrored

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        logits, labels = self.model(self._moved(normalized(batch["clip"]), batch["index"])).float(), batch["label"]
        right = (logits.argmax(1) == labels).float().mean()
        return Out(F.cross_entropy(logits, labels), logs={"accuracy": right})

    def _moved(self, films: Tensor, index: Tensor) -> Tensor:
        """Films (N, C, T, S, S), each moved by numbers that follow from the step and its `index` alone."""
        if not self.augment:
            return films
        images, numbers = films.flatten(1, 2), SampleRandom(self.random.seed, self.step, index)
        for augment in self.augment:
            images = augment(images, numbers)
        return images.unflatten(1, films.shape[1:3])

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits, labels = self.model(normalized(batch["clip"])).float(), batch["label"]
        right = (logits.argmax(1) == labels).sum()
        return {
            "accuracy": (right, len(labels)),
            "loss": (F.cross_entropy(logits, labels, reduction="sum"), len(labels)),
        }


@torch.no_grad()
def probabilities(model: nn.Module, clips: Tensor, device: torch.device, at_once: int = 64) -> Tensor:
    """Of films uint8 (N, T, C, S, S), float32 (N, K) on the CPU, by the net as it is, in evaluation."""
    was, found = model.training, []
    model.eval()
    for part in clips.split(at_once):
        found.append(model(normalized(part.to(device))).float().softmax(1).cpu())
    model.train(was)
    return torch.cat(found)
