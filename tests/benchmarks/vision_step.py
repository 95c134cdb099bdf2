"""Training the same ResNet by four loops: our trainer, and the loops people know.

Everybody trains the same net (`create_model`) by the same fused SGD with momentum, on the same few batches, over and
over. The loops of torchvision and timm are written here after the structure of their training scripts, with what those
do in every step: torchvision's computes top-1 and top-5 accuracy and reads them and the loss; timm's reads the loss at
its log lines, every 50 steps, and clears the gradients after the step. Lightning logs the loss. Ours logs loss,
accuracy and gradient norm, and checks in every step that the gradients are finite. Nobody compiles the net.
"""

import itertools
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch
from race import Clock, Loop
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from training import train, train_with_lightning

from torchworks.cnn_vision import create_model
from torchworks.cnn_vision.classification.task import Classification
from torchworks.shared.config import TrainerConfig
from torchworks.shared.data import ResidentLoader, TensorDataset
from torchworks.shared.machine.device import Device
from torchworks.shared.training.optim import sgd

OURS = "ours"
BATCHES = 4
TORCHVISION_LOGS_EVERY, TIMM_LOGS_EVERY = 10, 50

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Job:
    """A net, its images, and how many steps of it make a turn."""

    model: str
    image_size: int
    num_classes: int
    batch: int
    length: int

    def net(self, clock: Clock | None = None) -> nn.Module:
        net = create_model(self.model, num_classes=self.num_classes, small_images=self.image_size == 32)
        if clock is not None:
            clock.watch(net)
        return net

    def data(self) -> TensorDataset:
        """Noise of the right shape, uint8, in main memory."""
        generator, count = torch.Generator().manual_seed(0), BATCHES * self.batch
        shape = (count, 3, self.image_size, self.image_size)
        images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
        return TensorDataset({"image": images, "label": torch.randint(self.num_classes, (count,), generator=generator)})


def jobs(device: Device) -> dict[str, Job]:
    """Small batches and turns for a CPU, as a step takes seconds there."""
    gpu = device.device.type == "cuda"
    return {
        "ResNet-18, 32×32": Job("resnet18", 32, 10, *((512, 20) if gpu else (8, 1))),
        "ResNet-50, 224×224": Job("resnet50", 224, 1000, *((128, 10) if gpu else (4, 1))),
    }


def resident(job: Job, device: Device) -> ResidentLoader:
    return ResidentLoader(job.data(), job.batch, device=device.device)


class Ready:
    """The same few batches again and again, normalized and on the device: fetching one costs nothing."""

    def __init__(self, job: Job, device: Device, steps: int):
        self._batches, self._steps = list(itertools.islice(resident(job, device).iter_from(0), BATCHES)), steps

    def __iter__(self) -> Iterator[Batch]:
        return itertools.islice(itertools.cycle(self._batches), self._steps)


def loops(job: Job, device: Device) -> dict[str, Loop]:
    """Equal terms: ready batches, the precision of `device`, the plain memory format."""
    plain = replace(device, channels_last=False)
    return {
        OURS: lambda clock: ours(clock, job, plain, Ready(job, plain, clock.steps)),
        "torchvision's loop": lambda clock: torchvision_style(clock, job, plain),
        "timm's loop": lambda clock: timm_style(clock, job, plain),
        "Lightning": lambda clock: with_lightning(clock, job, plain, barebones=False),
    }


def loops_at_their_best(job: Job, device: Device) -> dict[str, Loop]:
    """channels_last for everybody; ours with the ResidentLoader, which indexes and normalizes, while the others are
    spared all loading; Lightning without logging and all else that it can leave out."""
    best = replace(device, channels_last=True)
    return {
        OURS: lambda clock: ours(clock, job, best, resident(job, best)),
        "torchvision's loop": lambda clock: torchvision_style(clock, job, best),
        "timm's loop": lambda clock: timm_style(clock, job, best),
        "Lightning, barebones": lambda clock: with_lightning(clock, job, best, barebones=True),
    }


def optimizer_of(net: nn.Module) -> torch.optim.Optimizer:
    return sgd(net, lr=0.01, momentum=0.9, weight_decay=1e-4)


# ---- ours ------------------------------------------------------------------------------------------------


class SgdClassification(Classification):
    def optimizer(self, net: str) -> torch.optim.Optimizer:
        return optimizer_of(self.model)


def ours(clock: Clock, job: Job, device: Device, loader: Iterable[Batch]) -> None:
    task = SgdClassification(job.net(clock), job.num_classes, lr=0.01)
    train(task, loader, TrainerConfig(steps=clock.steps, batch_size=job.batch), device)


# ---- after torchvision's references/classification -------------------------------------------------------


class Meter:
    """The last 20 values of a figure, and the sum of all."""

    def __init__(self) -> None:
        self.window: deque[float] = deque(maxlen=20)
        self.total, self.count = 0.0, 0

    def update(self, value: float, n: int = 1) -> None:
        self.window.append(value)
        self.total, self.count = self.total + value * n, self.count + n

    def __str__(self) -> str:
        return f"{median(self.window):.4f} ({self.total / self.count:.4f})"


def torchvision_style(clock: Clock, job: Job, device: Device) -> None:
    net, criterion = device.place(job.net(clock)), nn.CrossEntropyLoss()
    optimizer = optimizer_of(net)
    meters = {name: Meter() for name in ("lr", "img/s", "loss", "acc1", "acc5")}
    with Path(os.devnull).open("w") as log:
        for step, batch in enumerate(Ready(job, device, clock.steps)):
            begun = time.time()
            image, target = _on(device, batch)
            with device.autocast():
                output = net(image)
                loss = criterion(output, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

            count, (acc1, acc5) = len(image), accuracy(output, target, (1, 5))
            meters["loss"].update(loss.item())
            meters["lr"].update(optimizer.param_groups[0]["lr"])
            meters["acc1"].update(acc1.item(), count)
            meters["acc5"].update(acc5.item(), count)
            meters["img/s"].update(count / (time.time() - begun))
            if step % TORCHVISION_LOGS_EVERY == 0:
                print(step, *(f"{name}: {meter}" for name, meter in meters.items()), file=log, flush=True)


def accuracy(output: Tensor, target: Tensor, topk: tuple[int, ...]) -> list[Tensor]:
    """Percent of targets among the k likeliest classes, for each k."""
    with torch.inference_mode():
        likeliest = output.topk(max(topk), 1).indices  # (N, K)
        hits = likeliest == target[:, None]
        return [hits[:, :k].any(1).float().mean() * 100 for k in topk]


# ---- after timm's train.py -------------------------------------------------------------------------------


def timm_style(clock: Clock, job: Job, device: Device) -> None:
    from timm.utils import AverageMeter

    net = device.place(job.net(clock)).train()
    optimizer, losses, durations = optimizer_of(net), AverageMeter(), AverageMeter()
    optimizer.zero_grad()
    before, samples = time.time(), 0
    with Path(os.devnull).open("w") as log:
        for step, batch in enumerate(Ready(job, device, clock.steps)):
            image, target = _on(device, batch)
            if device.channels_last:
                image = image.contiguous(memory_format=torch.channels_last)
            with device.autocast():
                loss = cross_entropy(net(image), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

            samples += len(image)
            durations.update(time.time() - before)
            before = time.time()
            if step % TIMM_LOGS_EVERY == 0:
                losses.update(loss.item(), len(image))
                rate = samples / durations.sum
                lr = sum(group["lr"] for group in optimizer.param_groups) / len(optimizer.param_groups)
                print(f"{step} loss: {losses.val:.3g} ({losses.avg:.3g}) {rate:.2f}/s lr: {lr:.3e}", file=log)


def _on(device: Device, batch: Batch) -> tuple[Tensor, Tensor]:
    image, label = (batch[name].to(device.device, non_blocking=True) for name in ("image", "label"))
    return image, label


# ---- Lightning -------------------------------------------------------------------------------------------


def with_lightning(clock: Clock, job: Job, device: Device, *, barebones: bool) -> None:
    net = device.place(job.net(clock))
    train_with_lightning(
        net, optimizer_of(net), lambda net, batch: cross_entropy(net(batch["image"]), batch["label"]),
        Ready(job, device, clock.steps), steps=clock.steps, device=device, barebones=barebones,
    )  # fmt: skip
