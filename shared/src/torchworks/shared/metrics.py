"""Figures: summed on the device while training runs, then written to every sink that wants them.

JSON lines are always written; TensorBoard and MLflow stand behind the same two methods.
"""

import json
import math
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from torchworks.shared import parallel
from torchworks.shared.config import UserError


class Window:
    """Means of figures over the steps between two log lines, without reading the device in between."""

    def __init__(self, device: torch.device):
        self._device = device
        self._sums: dict[str, Tensor] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._weights: dict[str, Any] = {}

    def add(self, phase: str, figures: dict[str, Tensor], weight: Tensor | int = 1) -> None:
        """Add a micro-batch's `figures` (0-d tensors), which are means over `weight` items."""
        values = torch.stack([value.detach().float() for value in figures.values()])
        if phase in self._sums:
            assert self._names[phase] == tuple(figures), f"phase '{phase}' must log the same figures each time"
            self._sums[phase].add_(values * weight)
            self._weights[phase] = self._weights[phase] + weight
        else:
            self._names[phase] = tuple(figures)
            self._sums[phase], self._weights[phase] = values * weight, weight

    def close(self, extra: dict[str, Tensor], *, shared: bool = False) -> "Reading":
        """End the window: start the copy of its means, and of `extra`, to the host; means over all processes if
        `shared`."""
        names = [f"{phase}/{name}" for phase in self._sums for name in self._names[phase]]
        means = [self._sums[phase] / self._weights[phase] for phase in self._sums]
        values = torch.cat([*means, *(value.detach().float().reshape(1) for value in extra.values())])
        self._sums, self._weights = {}, {}
        if shared:
            parallel.mean(values)
        return Reading([*names, *extra], values)

    def state_dict(self) -> dict[str, Any]:
        """What a resume in the middle of a window needs to close it with the same figures."""
        weights = {phase: float(weight) for phase, weight in self._weights.items()}
        sums = {phase: total.cpu() for phase, total in self._sums.items()}
        return {"sums": sums, "weights": weights, "names": {phase: self._names[phase] for phase in sums}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._sums = {phase: total.to(self._device) for phase, total in state["sums"].items()}
        self._weights, self._names = dict(state["weights"]), dict(state["names"])


class Reading:
    """Figures on their way to the host: ask for them one interval later and nobody waits."""

    def __init__(self, names: list[str], values: Tensor):
        self._names, self._done = names, None
        if values.is_cuda:
            self._values = torch.empty_like(values, device="cpu", pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._done = torch.cuda.Event()
            self._done.record()
        else:
            self._values = values.cpu()

    def get(self) -> dict[str, float]:
        if self._done is not None:
            self._done.synchronize()
        return dict(zip(self._names, self._values.tolist(), strict=True))


class Sink(Protocol):
    """Somewhere that figures go. `kind` is "train" or "eval"."""

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None: ...
    def close(self) -> None: ...


class JsonLines:
    """One JSON object a line; figures that are not finite are written as null, so that any reader can read it."""

    def __init__(self, path: Path, step: int = 0):
        """Append to `path`, after dropping what a run that is resumed at `step` will write again."""
        if path.exists():
            kept = [json.dumps(line) + "\n" for line in read_lines(path) if line["step"] <= step]
            aside = path.with_suffix(".writing")
            aside.write_text("".join(kept))
            aside.replace(path)
        self._file = path.open("a", buffering=1)

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        finite = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._file.write(json.dumps({"kind": kind, "step": step, **finite}) + "\n")

    def close(self) -> None:
        self._file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a `metrics.jsonl`; a last line cut off by a crash is left out."""
    lines = []
    for text in path.read_text().splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


class TensorBoard:
    """TensorBoard events (needs the extra `shared[tensorboard]`)."""

    def __init__(self, folder: Path, step: int = 0):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise _missing("tensorboard") from None
        self._writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        self._writer.close()


class Mlflow:
    """An MLflow run (needs the extra `shared[mlflow]`); where it is kept follows MLflow's own settings."""

    def __init__(self, experiment: str):
        try:
            import mlflow
        except ImportError:
            raise _missing("mlflow") from None
        mlflow.set_experiment(experiment)
        self._mlflow, self._run = mlflow, mlflow.start_run()

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        self._mlflow.log_metrics({f"{kind}/{name}": value for name, value in figures.items()}, step=step)

    def close(self) -> None:
        self._mlflow.end_run()


def _missing(extra: str) -> UserError:
    return UserError(
        f"Writing to {extra} was asked for, but it is not installed. Install the extra shared[{extra}], or leave the "
        "option out: metrics.jsonl is always written."
    )
