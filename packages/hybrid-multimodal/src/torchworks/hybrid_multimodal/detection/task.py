"""The task of detection by DETR: the loss of a set, over all layers, and COCO's metrics.

Shape letters: N images, C channels, S pixels, O most objects of an image, Q queries, K classes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.hybrid_multimodal.detection.predictor import found_of
from torchworks.hybrid_multimodal.models.dn_detr import DNDETR, NUMBERS, assigned_groups
from torchworks.hybrid_multimodal.models.set_loss import Objects, centered, match, set_losses
from torchworks.shared.detection.metrics import AveragePrecision, truths_of
from torchworks.shared.task import Out, Phase, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class SetDetection(Task):
    """Trains `model` on batches with "image" (N, C, S, S), "boxes" (N, O, 4) in pixels and "box_label" (N, O). Objects
    that are to be ignored are not learned.

    Images are moved by up to `shift` pixels with their boxes, and with `denoising` groups of noised boxes the decoder
    learns from these too. Scores: those of `AveragePrecision`."""

    phases = (Phase("train", net="model", whole_batch=True),)  # a loss is a mean over the objects of a batch
    watch, watch_mode = "map", "max"

    def __init__(
        self, model: DNDETR, num_classes: int, *, lr: float, weight_decay: float, denoising: int = 0, shift: int = 0
    ):
        self.model: nn.Module = model
        self.lr, self.weight_decay, self.denoising, self.shift = lr, weight_decay, denoising, shift
        self.scores = AveragePrecision(num_classes)

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        images, objects = (
            moved(batch, self.random.uniform(len(batch["image"]), 2), self.shift) if self.shift else whole(batch)
        )
        if not self.denoising:
            parts = self._losses(self.model(images), objects)
            return Out(total(parts), logs=logs_of(parts))
        count, most = objects.labels.shape
        numbers = self.random.uniform(count, self.denoising, most, NUMBERS).to(images.device)
        answers, noised = self.model(images, objects, numbers)
        parts = self._losses(answers, objects)
        given = assigned_groups(objects, self.denoising, len(noised.boxes))
        more = set_losses(noised, objects, given, no_object=0.0)
        logs = logs_of(parts) | {f"denoising_{name}": value for name, value in logs_of(more).items()}
        return Out(total(parts) + total(more), logs=logs)

    def _losses(self, answers: Any, objects: Objects) -> dict[str, Tensor]:
        return set_losses(answers, objects, match(answers, objects))

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        found = found_of(self.model(batch["image"]), batch["image"].shape[-1])
        self.scores.update(found, truths_of(batch, masks=False))
        return {"scores": self.scores}


def total(parts: dict[str, Tensor]) -> Tensor:
    """The sum over all layers and parts."""
    return torch.stack([part.sum() for part in parts.values()]).sum()


def logs_of(parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """The parts of the last layer."""
    return {name: part[-1].detach() for name, part in parts.items()}


def whole(batch: dict[str, Tensor]) -> tuple[Tensor, Objects]:
    """The images and their objects, boxes as shares of the image."""
    images = batch["image"]
    return images, Objects(centered(batch["boxes"] / images.shape[-1]), batch["box_label"])


def moved(batch: dict[str, Tensor], numbers: Tensor, most: int) -> tuple[Tensor, Objects]:
    """The same, each image moved by up to `most` pixels; its edge is repeated. `numbers` (N, 2) are uniform in [0, 1).
    Boxes are cut at the image's edges, and those that are gone are left out."""
    images, size = batch["image"], batch["image"].shape[-1]
    by = (numbers * (2 * most + 1)).long().to(images.device) - most  # (N, 2), x and y
    along = torch.arange(size, device=images.device)
    rows, columns = ((along - by[:, axis, None]).clamp(0, size - 1) for axis in (1, 0))  # (N, S)
    image = torch.arange(len(images), device=images.device)
    pixels = images.permute(0, 2, 3, 1)[image[:, None, None], rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
    boxes = (batch["boxes"] + by.repeat(1, 2)[:, None]).clamp(0, size)
    there = (boxes[..., 2:] - boxes[..., :2]).amin(-1) >= 1
    return pixels, Objects(centered(boxes / size), batch["box_label"].where(there, -1))
