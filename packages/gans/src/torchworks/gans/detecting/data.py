"""Images of two faces, and of the same faces swapped by a net, without marks.

Shape letters: N images, S pixels a side.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.gans.detecting.config import SwapDetectorConfig
from torchworks.gans.swapping.build import build_face_swap, divided, open_faces
from torchworks.gans.swapping.predictor import open_swapper
from torchworks.gans.swapping.recipes import face_swap
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Source, TensorDataset, resident
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.machine.device import Device
from torchworks.shared.training.trainer import Trainer

CLASSES = ("real", "swapped")
GROUPS = ("", "_reduced", "_unseen")
"""Of test images, as the names of scores end: of the faces learnt from; the same at half the size and enlarged again;
of other faces, swapped by another net."""
AT_ONCE = 64
Swap = Callable[[Tensor, int], Tensor]
"""Images uint8 (N, 3, S, S) as person 0 (A) or 1 (B), without marks, on the CPU."""


def swap_of(data: str, run: Path | None, seed: int, config: SwapDetectorConfig, device: Device) -> Swap:
    """The swap of a finished `run`, else of a net that is trained on `data` first. Raises `UserError`."""
    return _of_run(run, config) if run is not None else _trained(data, seed, config, device)


def _of_run(run: Path, config: SwapDetectorConfig) -> Swap:
    swapper = open_swapper(run)
    if swapper.image_size != config.loader.image_size:
        raise UserError(
            f"{run} swaps faces of {swapper.image_size} pixels, but --loader.image-size is {config.loader.image_size}. "
            "Set it to the same."
        )
    return swapper.unmarked


def _trained(data: str, seed: int, config: SwapDetectorConfig, device: Device) -> Swap:
    recipe, trainer = face_swap(), config.trainer
    settings = replace(recipe.trainer, steps=config.swap_steps, eval_every=0, device=trainer.device, compile=False)
    swapping = replace(recipe, data=data, seed=seed, loader=config.loader, trainer=settings)
    experiment = build_face_swap(swapping, device)
    fitted = Trainer(experiment.task, experiment.train, None, settings, optim=swapping.optim, seed=seed, device=device)
    fitted.fit()
    net: Any = fitted.nets["autoencoder"].eval()

    @torch.no_grad()
    def swap(images: Tensor, to: int) -> Tensor:
        parts = []
        for rows in images.split(AT_ONCE):
            person = torch.full((len(rows),), to, device=device.device)
            made = net.swap(rows.to(device.device).float() / 255, person).float().clamp(0, 1)
            parts.append((made * 255).round().to(torch.uint8).cpu())
        return torch.cat(parts)

    return swap


def swapped_beside(a: Dataset, b: Dataset, swap: Swap) -> TensorDataset:
    """Images of both faces, and each as the other: "image", "label" as in `CLASSES`, "group" 0."""
    images = [resident(part).tensors["image"] for part in (a, b)]
    made = [swap(images[0], 1), swap(images[1], 0)]
    labels = torch.cat([torch.full((len(each),), i) for i, pair in enumerate((images, made)) for each in pair])
    return labelled(torch.cat([*images, *made]), labels, 0)


def labelled(images: Tensor, labels: Tensor, group: int) -> TensorDataset:
    """A data set of images uint8 (N, 3, S, S)."""
    shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
    schema = Schema((Field("image", "image", shape), Field("label", "label", (), CLASSES)))
    return TensorDataset({"image": images, "label": labels, "group": torch.full_like(labels, group)}, schema)


def together(*parts: TensorDataset) -> TensorDataset:
    """The rows of several data sets as one."""
    names = parts[0].tensors
    return TensorDataset({name: torch.cat([part.tensors[name] for part in parts]) for name in names}, parts[0].schema)


def reduced(images: Tensor, share: float) -> Tensor:
    """Images (N, 3, S, S) in [0, 1] at a `share` of their size and enlarged again, which takes fine traces away."""
    size = images.shape[-1]
    small = F.interpolate(images, [round(size * share)] * 2, mode="bilinear", antialias=True)
    return F.interpolate(small, [size, size], mode="bilinear").clamp(0, 1)


def test_images(learnt: tuple[Source, Source], unseen: tuple[Source, Source], swap: Swap, other: Swap) -> TensorDataset:
    """The three `GROUPS` of test images."""
    known = swapped_beside(learnt[0].test, learnt[1].test, swap)
    smaller = (reduced(known.tensors["image"].float() / 255, 0.5) * 255).round().to(torch.uint8)
    others = swapped_beside(unseen[0].test, unseen[1].test, other).tensors
    labels = known.tensors["label"]
    return together(known, labelled(smaller, labels, 1), labelled(others["image"], others["label"], 2))


def training_images(
    learnt: tuple[Source, Source], swap: Swap, config: SwapDetectorConfig
) -> tuple[TensorDataset, TensorDataset]:
    """Those to learn from and those to choose by; an image and its swap are in the same part. Raises `UserError`."""
    (train_a, valid_a), (train_b, valid_b) = (divided(source, config) for source in learnt)
    return swapped_beside(train_a, train_b, swap), swapped_beside(valid_a, valid_b, swap)


def open_pair(data: str, config: SwapDetectorConfig) -> tuple[Source, Source]:
    """The two sources of "A+B". Raises `UserError`."""
    return open_faces(replace(config, data=data))
