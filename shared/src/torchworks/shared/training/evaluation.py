"""Evaluation: a task's scores over a pass through the data, leaving training exactly as it was; and the best so far."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from torchworks.shared.machine.device import Device
from torchworks.shared.numbers.state import keep_rng
from torchworks.shared.task import Task
from torchworks.shared.training import parallel
from torchworks.shared.training.batches import Batch, rows, to_device
from torchworks.shared.training.guard import TrainingFailed
from torchworks.shared.training.previews import write_previews
from torchworks.shared.training.strategy import swapped

if TYPE_CHECKING:
    from torchmetrics import Metric  # slow to import, and only tasks that use it need it


class Evaluator:
    """Scores the states of a training, shows them, and keeps in mind which was the best."""

    def __init__(self, task: Task, device: Device, folder: Path | None, averaged: dict[str, nn.Module]):
        """`averaged` are nets to evaluate in place of those of the same names; without a `folder` nothing is shown."""
        self.averaged = averaged
        self.evaluated = 0  # step of the last evaluation
        self.scores: dict[str, float] = {}  # of the last evaluation
        self.best: dict[str, Any] = {"step": 0, "score": None, "scores": {}}
        self.evals_since_best = 0
        self._task, self._device, self._folder = task, device, folder

    def score(self, batches: Iterable[Batch], poll: Callable[[], None]) -> dict[str, float]:
        """Scores of the present state on `batches`; changes nothing. `poll`, called after each batch, may raise."""
        with evaluating(self._task, self._device, self.averaged):
            return score(self._task, batches, self._device, poll)

    def preview(self, step: int) -> None:
        """Write what the task shows of the present state."""
        if self._folder is None:
            return
        with evaluating(self._task, self._device, self.averaged):
            previews = self._task.preview()
        if previews and self._device.rank == 0:
            write_previews(self._folder / "samples", previews, step)

    def judge(self, step: int, scores: dict[str, float]) -> bool:
        """Take in the scores of an evaluation; whether they are the best so far."""
        task, before = self._task, self.best["score"]
        watched = scores.get(task.watch) if task.watch else None
        better = task.watch is None or (
            watched is not None
            and math.isfinite(watched)
            and (
                before is None
                or (watched < before if task.watch_mode == "min" else watched > before)
                or (task.newest_of_equals and watched == before)
            )
        )
        if better:
            self.best = {"step": step, "score": watched, "scores": dict(scores)}
        self.evaluated, self.scores = step, scores
        self.evals_since_best = 0 if better else self.evals_since_best + 1
        return better

    def check_finite(self) -> None:
        """Raise `TrainingFailed` if there was a score to watch, but never a number: a training too short for the guard
        may have come to nothing all the same."""
        if self._task.watch in self.scores and self.best["score"] is None:
            raise TrainingFailed(
                f"Training finished, but '{self._task.watch}' was never finite, so the model is unusable. Try a "
                "smaller learning rate, `--trainer.clip 1`, or `--trainer.precision fp32`, and look for NaN in the "
                "data."
            )

    def state_dict(self) -> dict[str, Any]:
        return {
            "evaluated": self.evaluated,
            "scores": self.scores,
            "best": self.best,
            "evals_since_best": self.evals_since_best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.evaluated, self.scores, self.best = state["evaluated"], state["scores"], state["best"]
        self.evals_since_best = state["evals_since_best" if "evals_since_best" in state else "stale"]  # its older name


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
    for value in vars(task).values():
        if hasattr(value, "compute") and hasattr(value, "to"):
            value.to(device.device)
    with device.autocast():
        task.begin_evaluation()
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
    scores = {name: float(total / count) if count else math.nan for name, (total, count) in sums.items()}
    for name, metric in metrics.items():
        value = metric.compute()
        several = value if isinstance(value, dict) else {name: value}
        scores |= {key: float(item) for key, item in several.items()}
    return scores
