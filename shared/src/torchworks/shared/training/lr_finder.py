"""The learning-rate finder: a short training at rising rates (Smith 2017)."""

import math
from pathlib import Path

from torchworks.shared.training.guard import TrainingFailed
from torchworks.shared.training.trainer import Trainer


class _Losses:
    """A sink that keeps each phase's losses with the learning rates they were seen at."""

    def __init__(self) -> None:
        self.by_phase: dict[str, list[tuple[float, float]]] = {}

    def write(self, kind: str, step: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            if kind == "train" and name.endswith("/loss"):
                self.by_phase.setdefault(name.removesuffix("/loss"), []).append((metrics["lr"], value))

    def close(self) -> None: ...


def find_lr(trainer: Trainer, plot: Path, *, low: float = 1e-3, high: float = 1e3) -> dict[str, float]:
    """Sweep the factor on all learning rates from `low` to `high` (Smith 2017, section 3.3) and suggest a rate, the
    largest of the task's if it has several. Draws `plot`.

    With one phase the suggestion is a tenth of the rate at which the smoothed loss is least; with several, whose
    losses need not fall, a tenth of the rate at which the first of them leaves the range it had. The trainer must
    log every step; its nets are spoilt afterwards. Raises `TrainingFailed` if no rate gives finite losses.
    """
    steps = trainer.config.steps
    trainer.rates.schedule = lambda step: low * (high / low) ** (step / steps)
    losses = _Losses()
    trainer.sinks.append(losses)
    try:
        trainer.fit()
    except TrainingFailed:  # the end of the sweep may well be too fast for any net, but not its beginning
        if trainer.step < steps // 4:
            raise
    curves = {phase: _smoothed(points) for phase, points in losses.by_phase.items()}
    stable = {phase: points[: _departure([loss for _, loss in points])] for phase, points in curves.items()}
    too_fast = [curves[phase][len(points)][0] for phase, points in stable.items() if len(points) < len(curves[phase])]
    if len(curves) == 1:
        [points] = stable.values()
        best, _ = min(points, key=lambda point: point[1])
    else:
        best = min(too_fast, default=max(rate for points in curves.values() for rate, _ in points))
    _plot(plot, curves, [loss for points in stable.values() for _, loss in points], best / 10)
    return {"suggested_lr": best / 10, **({"too_fast_from": min(too_fast)} if too_fast else {})}


def _smoothed(points: list[tuple[float, float]], keep: float = 0.8) -> list[tuple[float, float]]:
    mean, smooth = 0.0, []
    for count, (rate, value) in enumerate(points, start=1):
        mean = keep * mean + (1 - keep) * value
        smooth.append((rate, mean / (1 - keep**count)))
    return smooth


def _departure(smooth: list[float]) -> int:
    """First place where the loss is not finite, or is further above its least value than twice its range in the first
    quarter (and than its own size there); the length if there is none."""
    quarter = smooth[: max(1, len(smooth) // 4)]
    room = 2 * max(max(quarter) - min(quarter), abs(min(quarter)), 1e-8)
    least = math.inf
    for place, value in enumerate(smooth):
        if not math.isfinite(value) or value > least + room:
            return place
        least = min(least, value)
    return len(smooth)


def _plot(path: Path, curves: dict[str, list[tuple[float, float]]], stable: list[float], suggestion: float) -> None:
    """Loss against rate; the axis shows the `stable` losses and how the others leave them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axis = figure.subplots()
    for phase, points in curves.items():
        axis.plot(*zip(*points, strict=True), label=phase)
    axis.axvline(suggestion, linestyle="--", color="grey", label=f"suggested {suggestion:.2g}")
    low, high = min(stable), max(stable)
    room = 0.1 * (high - low) or 1.0
    axis.set(xscale="log", xlabel="learning rate", ylabel="loss (smoothed)", ylim=(low - room, high + 2 * room))
    axis.legend()
    figure.savefig(path, dpi=110)
