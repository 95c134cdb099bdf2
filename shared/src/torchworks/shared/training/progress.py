"""What the user sees of a running training: a bar on a terminal, plain lines anywhere else."""

import sys
import time
from collections.abc import Callable, Iterable
from functools import partial

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

_INTERVAL = 0.5  # seconds between two redrawings of the bar
_HIDDEN = ("lr", "seconds", "loss_scale")
_RATE, _ROWS = "_per_second", "samples_per_second"
_SHORT = {"memory": "GiB"}


class Progress:
    """A `Sink` that also shows how far the training is. `begin` is called before the first step, `advance` after
    every step; that costs a clock reading, for the bar is redrawn twice a second at most."""

    def __init__(self, total: int, console: Console | None = None):
        self._console = console or Console(file=sys.stdout, highlight=False)
        self._total, self._begun, self._start = total, time.monotonic(), 0
        self._cold = True  # the next step is the first one, which is no measure of those after it
        self._next = 0.0
        self._bar: _Bar | None = None

    def begin(self, step: int) -> None:
        """Training starts, or goes on, at `step`."""
        self._begun, self._start, self._cold = time.monotonic(), step, True
        if self._console.is_terminal:
            columns = (
                BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("eta"), TimeRemainingColumn(),
            )  # fmt: skip
            self._bar = _Bar(*columns, console=self._console, auto_refresh=False)
            self._task = self._bar.add_task("training", total=self._total, completed=step)
            self._bar.start()
            self._console.show_cursor()  # a second Ctrl-C exits at once and could not bring it back

    def advance(self, step: int) -> None:
        """Show that `step` steps are done."""
        if self._cold:
            self._begun, self._start, self._cold = time.monotonic(), step, False
        if self._bar is not None and (now := time.monotonic()) >= self._next:
            self._bar.update(self._task, completed=step, refresh=True)
            self._next = now + _INTERVAL

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._console.print(text, markup=False, soft_wrap=True)
        else:
            self._console.file.write(f"{text}\n")  # the console would take half a millisecond
            self._console.file.flush()

    def write(self, kind: str, step: int, metrics: dict[str, float]) -> None:
        if sum(name.endswith(_RATE) for name in metrics) > 1:  # the task counts something better than samples
            metrics = {name: value for name, value in metrics.items() if name != _ROWS}
        shown = {_named(name): value for name, value in metrics.items() if _shown(name, value)}
        text = "  ".join(f"{name} {_short(value)}" for name, value in shown.items())
        if kind == "train" and self._bar is not None:
            self._bar.metrics = text
            self._bar.update(self._task, completed=step, refresh=True)
        elif kind == "train":
            remaining = self._remaining(step)
            eta = "" if remaining is None else f"eta {_clock(remaining)}  "
            self.say(f"step {step}/{self._total}  {eta}{text}")
        else:
            self.say(f"step {step}  evaluation  {text}")

    def _remaining(self, step: int) -> float | None:
        """Seconds to go at the rate of the steps after the first; None before there are any."""
        done, left = step - self._start, max(self._total - step, 0)
        if not left:
            return 0.0
        return (time.monotonic() - self._begun) / done * left if done > 0 else None

    def close(self) -> None:
        if self._bar is not None:
            self._bar.update(self._task, refresh=True)
            self._bar.stop()


class _Bar(Bar):
    """A bar with the newest metrics below it."""

    metrics = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.metrics, style="dim")


class Silent:
    """Shows nothing; for tests and for processes other than the first."""

    begin: Callable[[int], None] = staticmethod(lambda step: None)
    advance: Callable[[int], None] = staticmethod(lambda step: None)
    say: Callable[[str], None] = staticmethod(lambda text: None)
    write = staticmethod(lambda kind, step, metrics: None)
    close = staticmethod(lambda: None)


class Estimate(Silent):
    """For a training of `steps` steps within another command: `say` is told once how long it takes, as measured over
    some steps after the first."""

    MEASURED = 8  # steps

    def __init__(self, steps: int, say: Callable[[str], None]):
        self._steps, self._say, self._since = steps, say, 0.0
        self.advance = self._advance

    def _advance(self, step: int) -> None:
        if step == 1:
            self._since = time.monotonic()
        elif step == 1 + self.MEASURED:
            seconds = (time.monotonic() - self._since) / self.MEASURED * self._steps
            self._say(
                f"{self._steps} steps, about {f'{seconds:.0f} s' if seconds < 100 else f'{seconds / 60:.0f} min'}"
            )


def first_says(rank: int) -> Callable[[str], None]:
    """Prints a line at once in the first process, and nothing in the others."""
    return partial(print, flush=True) if rank == 0 else Silent.say


def _shown(name: str, value: float) -> bool:
    return name not in _HIDDEN and not (name.startswith("skipped") and not value)


def _named(name: str) -> str:
    return name.removesuffix(_RATE) + "/s" if name.endswith(_RATE) else _SHORT.get(name, name)


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
