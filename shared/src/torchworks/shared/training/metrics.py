"""Metrics: summed without waiting for a GPU while training runs, then written to every sink that wants them.

JSON lines are always written; TensorBoard and MLflow stand behind the same two methods.
"""

import contextlib
import json
import math
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.machine.device import Device, peak_memory
from torchworks.shared.training import parallel

_MOST_KEPT = 256  # metrics of as many micro-batches are kept on a GPU before they are added up


class Window:
    """Means of metrics over the steps between two log lines, without waiting for a GPU in between."""

    def __init__(self, device: torch.device):
        self._device = device
        self._phases: dict[str, _OnHost | _OnDevice] = {}

    def add(self, phase: str, metrics: dict[str, Tensor], weight: Tensor | int = 1) -> None:
        """Add a micro-batch's `metrics` (0-d tensors), which are means over `weight` items."""
        sums = self._phases.get(phase)
        if sums is None:
            sums = self._phases[phase] = self._sums(tuple(metrics))
        sums.add(metrics, weight)

    def weight(self, phase: str) -> Tensor | float:
        """What the micro-batches of `phase` in this window weigh together."""
        return self._phases[phase].weight() if phase in self._phases else 0.0

    def close(self, extra: dict[str, Tensor | float], *, shared: bool = False) -> "Reading":
        """End the window: start the copy of its means, and of `extra`, to the host; means over all processes if
        `shared`."""
        means = {f"{phase}/{name}": mean for phase, sums in self._phases.items() for name, mean in sums.means().items()}
        self._phases = {}
        metrics = {**means, **extra}
        if shared:
            values = [torch.as_tensor(value, dtype=torch.float32, device=self._device) for value in metrics.values()]
            metrics = dict(zip(metrics, parallel.mean(torch.stack(values)), strict=True))
        return Reading(metrics)

    def state_dict(self) -> dict[str, Any]:
        """What a resume in the middle of a window needs to close it with the same metrics."""
        return {phase: (sums.names, *sums.totals()) for phase, sums in self._phases.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._phases = {phase: self._sums(*saved) for phase, saved in state.items()}

    def _sums(self, names: tuple[str, ...], *totals: Any) -> "_OnHost | _OnDevice":
        return _OnHost(names, *totals) if self._device.type == "cpu" else _OnDevice(names, *totals, device=self._device)


class _OnHost:
    """Sums of a phase's metrics on a CPU, where a metric can be read as it comes."""

    def __init__(self, names: tuple[str, ...], sums: Iterable[float] | None = None, weight: float = 0.0):
        self.names, self._weight = names, weight
        self._sums = dict(zip(names, sums or [0.0] * len(names), strict=True))

    def add(self, metrics: dict[str, Tensor], weight: Tensor | int) -> None:
        sums, w = self._sums, float(weight)
        assert metrics.keys() == sums.keys(), "a phase must log the same metrics each time"
        for name, value in metrics.items():
            sums[name] += w * value.item()
        self._weight += w

    def means(self) -> dict[str, float]:
        return {name: total / self._weight if self._weight else math.nan for name, total in self._sums.items()}

    def weight(self) -> float:
        return self._weight

    def totals(self) -> tuple[list[float], float]:
        return list(self._sums.values()), self._weight


class _OnDevice:
    """Sums (F,) of a phase's F metrics on a GPU. They are kept as they come and added up when there are many or the
    window closes: little kernels in every step would cost a small net more than all the rest of the loop."""

    def __init__(
        self, names: tuple[str, ...], sums: list[float] | None = None, weight: float = 0.0, *, device: torch.device
    ):
        self.names, self._device = names, device
        self._sums = torch.tensor(sums, device=device) if sums else torch.zeros(len(names), device=device)
        self._weight = self._filled_in(weight)
        self._values: list[Tensor] = []
        self._weights: list[Tensor | int] = []

    def add(self, metrics: dict[str, Tensor], weight: Tensor | int) -> None:
        assert tuple(metrics) == self.names, "a phase must log the same metrics each time"
        # copies, since a task may go on changing what it logged, or log one element of something large
        self._values += [value.detach().clone() for value in metrics.values()]
        self._weights.append(weight)
        if len(self._weights) == _MOST_KEPT:
            self._add_up()

    def means(self) -> dict[str, Tensor]:
        self._add_up()
        return dict(zip(self.names, self._sums / self._weight, strict=True))

    def weight(self) -> Tensor:
        self._add_up()
        return self._weight

    def totals(self) -> tuple[list[float], float]:
        self._add_up()
        return self._sums.tolist(), self._weight.item()

    def _add_up(self) -> None:
        if self._weights:
            values = torch.stack([value.float() for value in self._values]).view(-1, len(self.names))
            weights = self._stacked_weights()
            self._sums = self._sums + (values * weights[:, None]).sum(0)
            self._weight = self._weight + weights.sum()
            self._values, self._weights = [], []

    def _stacked_weights(self) -> Tensor:
        """(K,); in the usual case that they are all the same number, by one kernel."""
        first, k = self._weights[0], len(self._weights)
        if isinstance(first, int) and self._weights.count(first) == k:
            return self._filled_in(first).expand(k)
        return torch.stack([self._filled_in(weight) for weight in self._weights])

    def _filled_in(self, weight: Tensor | float) -> Tensor:
        """A number is filled in on the device, since copying it from the host would wait for it."""
        if isinstance(weight, Tensor):
            return weight.detach().float()
        return torch.full((), float(weight), device=self._device)


class Reading:
    """Metrics, those of a GPU on their way to the host: ask for them one interval later and nobody waits."""

    def __init__(self, metrics: dict[str, Tensor | float]):
        self._metrics: dict[str, Any] = {
            name: value.item() if isinstance(value, Tensor) and not value.is_cuda else value
            for name, value in metrics.items()
        }
        coming = {name: value for name, value in self._metrics.items() if isinstance(value, Tensor)}
        self._coming, self._done = list(coming), None
        if coming:
            values = torch.stack([value.detach().float().reshape(()) for value in coming.values()])
            self._values = torch.empty_like(values, device="cpu", pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._done = torch.cuda.Event()
            self._done.record()

    def get(self) -> dict[str, float]:
        if self._done is not None:
            self._done.synchronize()
        if self._coming:
            self._metrics.update(zip(self._coming, self._values.tolist(), strict=True))
        return self._metrics


class Timer:
    """Seconds of training: those before a resume included, those of evaluations not."""

    def __init__(self) -> None:
        self._before, self._since = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._since

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._before = seconds
        self.start()

    def start(self) -> None:
        """Count from now on."""
        self._since = time.monotonic()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Time that does not count."""
        begun = time.monotonic()
        yield
        self._since += time.monotonic() - begun


class Log:
    """The log of a training: a `window` of metrics over some steps becomes a line, which every sink gets.

    A line of a GPU is on its way to the host while the next window fills.
    """

    def __init__(self, device: Device, sinks: list["Sink"], units: str = "samples", counted: str = ""):
        """Rates are those of `units`: if these are no samples, the weights in the window of the phase `counted`."""
        self.window = Window(device.device)
        self.grad_norms: dict[str, Tensor] = {}  # to log at the end of the window
        self._device, self._sinks = device, sinks
        self._lines: deque[tuple[int, float, dict[str, float], Reading]] = deque()
        self._begun, self._samples = 0.0, 0  # seconds and samples before the window
        self._rate = f"{units}_per_second" if units != "samples" else None
        self._counted = counted
        self.units = 0.0  # before the window

    def start(self, seconds: float, samples: int) -> None:
        """The first window begins after so many seconds of training and so many samples."""
        self._begun, self._samples = seconds, samples

    def close(self, step: int, seconds: float, samples: int, lr: float, counters: Mapping[str, Tensor | float]) -> None:
        """End the window at `step`, after so many seconds of training and so many samples."""
        extra: dict[str, Tensor | float] = {**self.grad_norms, **counters}
        if self._rate:
            extra[self._rate] = self.window.weight(self._counted)
        reading = self.window.close(extra, shared=self._device.world > 1)
        host = {
            "lr": lr,
            "samples_per_second": (samples - self._samples) / max(seconds - self._begun, 1e-9),
            "seconds": seconds,
            "memory": peak_memory(self._device),
        }
        self._lines.append((step, max(seconds - self._begun, 1e-9), host, reading))
        self.grad_norms = {}
        self.start(seconds, samples)

    def written(self, waiting: int) -> Iterator[tuple[int, dict[str, float]]]:
        """Write all lines but the newest `waiting` ones, and yield each with its step."""
        while len(self._lines) > waiting:
            step, elapsed, host, reading = self._lines.popleft()
            metrics = {**reading.get(), **host}
            if self._rate:
                units = metrics[self._rate] * self._device.world  # a mean over the processes
                metrics[self._rate] = units / elapsed
                self.units += units
            self.write("train", step, metrics)
            yield step, metrics

    def rates(self, seconds: float, samples: int) -> dict[str, float]:
        """Those of the whole training by now, when all lines are written."""
        rates = {"samples_per_second": samples / max(seconds, 1e-9)}
        if self._rate:
            units = self.units + float(self.window.weight(self._counted)) * self._device.world
            rates[self._rate] = units / max(seconds, 1e-9)
        return rates

    def write(self, kind: str, step: int, metrics: dict[str, float]) -> None:
        for sink in self._sinks:
            sink.write(kind, step, metrics)


class Sink(Protocol):
    """Somewhere that metrics go. `kind` is "train" or "eval"."""

    def write(self, kind: str, step: int, metrics: dict[str, float]) -> None: ...
    def close(self) -> None: ...


class JsonLines:
    """One JSON object a line; metrics that are not finite are written as null, so that any reader can read it."""

    def __init__(self, path: Path, step: int = 0):
        """Append to `path`; before the first line, drop what a run that is resumed at `step` writes again."""
        self._path, self._step = path, step
        self._file: TextIO | None = None

    def write(self, kind: str, step: int, metrics: dict[str, float]) -> None:
        finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        if self._file is None:
            self._file = self._opened()
        self._file.write(json.dumps({"kind": kind, "step": step, **finite}) + "\n")

    def _opened(self) -> TextIO:
        if self._path.exists():
            kept = [json.dumps(line) + "\n" for line in read_lines(self._path) if line["step"] <= self._step]
            aside = self._path.with_suffix(".writing")
            aside.write_text("".join(kept), encoding="utf-8")
            aside.replace(self._path)
        return self._path.open("a", buffering=1, encoding="utf-8")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a `metrics.jsonl`; a last line cut off by a crash is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
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

    def write(self, kind: str, step: int, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
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

    def write(self, kind: str, step: int, metrics: dict[str, float]) -> None:
        self._mlflow.log_metrics({f"{kind}/{name}": value for name, value in metrics.items()}, step=step)

    def close(self) -> None:
        self._mlflow.end_run()


def _missing(extra: str) -> UserError:
    return UserError(
        f"Writing to {extra} was asked for, but it is not installed. Install the extra shared[{extra}], or leave the "
        "option out: metrics.jsonl is always written."
    )
