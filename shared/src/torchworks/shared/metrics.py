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

_MOST_KEPT = 256  # figures of as many micro-batches are kept on the device before they are added up


class Window:
    """Means of figures over the steps between two log lines, without reading the device in between.

    Figures are kept as they come and added up when there are many or the window closes: little kernels in every
    step would cost a small net more than all the rest of the loop.
    """

    def __init__(self, device: torch.device):
        self._device = device
        self._phases: dict[str, _Figures] = {}

    def add(self, phase: str, figures: dict[str, Tensor], weight: Tensor | int = 1) -> None:
        """Add a micro-batch's `figures` (0-d tensors), which are means over `weight` items."""
        found = self._phases.get(phase)
        if found is None:
            found = self._phases[phase] = _Figures(tuple(figures), self._device)
        found.add(figures, weight)

    def close(self, extra: dict[str, Tensor], *, shared: bool = False) -> "Reading":
        """End the window: start the copy of its means, and of `extra`, to the host; means over all processes if
        `shared`."""
        names = [f"{phase}/{name}" for phase, figures in self._phases.items() for name in figures.names]
        means = [figures.mean() for figures in self._phases.values()]
        values = torch.cat([*means, *(value.detach().float().reshape(1) for value in extra.values())])
        self._phases = {}
        if shared:
            parallel.mean(values)
        return Reading([*names, *extra], values)

    def state_dict(self) -> dict[str, Any]:
        """What a resume in the middle of a window needs to close it with the same figures."""
        return {phase: figures.state_dict() for phase, figures in self._phases.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._phases = {phase: _Figures.restored(saved, self._device) for phase, saved in state.items()}


class _Figures:
    """The figures of one phase, F of them: sums (F,) of what was added up, and the newest as they came."""

    def __init__(self, names: tuple[str, ...], device: torch.device):
        self.names, self._device = names, device
        self._sums, self._weight = torch.zeros(len(names), device=device), torch.zeros((), device=device)
        self._values: list[Tensor] = []
        self._weights: list[Tensor | int] = []

    def add(self, figures: dict[str, Tensor], weight: Tensor | int) -> None:
        assert tuple(figures) == self.names, "a phase must log the same figures each time"
        # copies, since a task may go on changing what it logged, or log one element of something large
        self._values += [value.detach().clone() for value in figures.values()]
        self._weights.append(weight)
        if len(self._weights) == _MOST_KEPT:
            self._add_up()

    def mean(self) -> Tensor:
        """Means (F,)."""
        self._add_up()
        return self._sums / self._weight

    def _add_up(self) -> None:
        if self._weights:
            values, weights = self._stacked()
            self._sums = self._sums + (values * weights[:, None]).sum(0)
            self._weight = self._weight + weights.sum()
            self._values, self._weights = [], []

    def _stacked(self) -> tuple[Tensor, Tensor]:
        """Values (K, F) and weights (K,) of the K newest."""
        values = torch.stack([v if v.dtype is torch.float32 else v.float() for v in self._values])
        values = values.view(-1, len(self.names))
        # numbers are filled in on the device, since copying them from the host would wait for it
        first = self._weights[0]
        if isinstance(first, int) and self._weights.count(first) == len(self._weights):
            return values, torch.full((len(values),), float(first), device=self._device)
        return values, torch.stack([self._weight_of(given) for given in self._weights])

    def _weight_of(self, given: Tensor | int) -> Tensor:
        if isinstance(given, Tensor):
            return given.detach().float()
        return torch.full((), float(given), device=self._device)

    def state_dict(self) -> dict[str, Any]:
        state = {"names": self.names, "sums": self._sums.cpu(), "weight": self._weight.cpu()}
        if self._weights:
            state["values"], state["weights"] = (newest.cpu() for newest in self._stacked())
        return state

    @classmethod
    def restored(cls, state: dict[str, Any], device: torch.device) -> "_Figures":
        figures = cls(state["names"], device)
        figures._sums, figures._weight = state["sums"].to(device), state["weight"].to(device)
        if "weights" in state:
            figures._values = list(state["values"].to(device).view(-1).unbind())
            figures._weights = list(state["weights"].to(device).unbind())
        return figures


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
