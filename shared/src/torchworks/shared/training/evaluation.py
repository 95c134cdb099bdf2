"""Evaluation: a task's scores over a pass through the data, leaving training exactly as it was."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchworks.shared.machine.device import Device
from torchworks.shared.numbers.state import keep_rng
from torchworks.shared.task import Task
from torchworks.shared.training import parallel
from torchworks.shared.training.batches import Batch, rows, to_device

if TYPE_CHECKING:
    from torchmetrics import Metric  # slow to import, and only tasks that use it need it


@contextlib.contextmanager
def swapped(task: Task, nets: dict[str, nn.Module]) -> Iterator[None]:
    """While active, `task` finds `nets` in the attributes of those names."""
    before = {name: getattr(task, name) for name in nets}
    for name, net in nets.items():
        setattr(task, name, net)
    try:
        yield
    finally:
        for name, net in before.items():
            setattr(task, name, net)


@contextlib.contextmanager
def evaluating(task: Task, device: Device, averaged: dict[str, nn.Module]) -> Iterator[None]:
    """Evaluation mode with the averaged nets, no gradients, and random generators that stay as they were."""
    nets = task.nets()
    modes = {name: net.training for name, net in nets.items()}
    if device.world > 1:
        for net in nets.values():
            parallel.share_buffers(net)
    for net in nets.values():
        net.eval()
    try:
        with torch.no_grad(), keep_rng(device.device), swapped(task, averaged):
            yield
    finally:
        for name, net in nets.items():
            net.train(modes[name])


def score(task: Task, batches: Iterable[Batch], device: Device, poll: Callable[[], None]) -> dict[str, float]:
    """Scores over `batches`, to be called within `evaluating`. Every process scores all the data, and all take the
    first one's scores. `poll` is called after each batch and may raise."""
    sums: dict[str, list[Any]] = {}
    metrics: dict[str, Metric] = {}
    try:
        for number, batch in enumerate(batches):
            task.random.at("evaluate", number, rows=rows(batch), total=rows(batch))
            with device.autocast():
                given = task.evaluate(to_device(batch, device.device))
            _collect(given, sums, metrics)
            poll()
        scores = _compute(sums, metrics)
    finally:
        for metric in metrics.values():
            metric.reset()
    return parallel.from_first(scores) if device.world > 1 else scores


def _collect(given: dict[str, Any], sums: dict[str, list[Any]], metrics: dict[str, "Metric"]) -> None:
    for name, value in given.items():
        if hasattr(value, "compute"):
            value.sync_on_compute = False
            metrics[name] = value
        else:
            total = sums.setdefault(name, [0.0, 0.0])
            total[0], total[1] = total[0] + value[0], total[1] + value[1]


def _compute(sums: dict[str, list[Any]], metrics: dict[str, "Metric"]) -> dict[str, float]:
    scores = {name: float(total / count) for name, (total, count) in sums.items()}
    for name, metric in metrics.items():
        value = metric.compute()
        several = value if isinstance(value, dict) else {name: value}
        scores |= {key: float(item) for key, item in several.items()}
    return scores
