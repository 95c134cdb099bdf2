"""What the benchmarks print and save: the machine, tables of times, targets and whether they are met."""

import contextlib
import json
import logging
import os
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from race import Times
from rich.console import Console
from rich.table import Table

from torchworks.shared.machine.device import Device, choose
from torchworks.shared.machine.facts import affinity, cpu_model


@dataclass(frozen=True)
class Target:
    name: str
    measured: str
    met: bool | None
    """None: it could not be measured here."""


def print_targets(console: Console, targets: list[Target]) -> None:
    for target in targets:
        verdict = {True: "met", False: "NOT MET", None: "not measured"}[target.met]
        console.print(f"{verdict:<13} {target.name}: {target.measured}")


def print_machine(console: Console) -> dict[str, Any]:
    machine = environment()
    console.print("\n".join(f"{name:<16} {value}" for name, value in machine.items()))
    return machine


def environment() -> dict[str, Any]:
    return {
        "processor": f"{cpu_model()}, {affinity()} processors, load {os.getloadavg()[0]:.1f} at the start",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": 1,
    }


def for_images(channels_last: str = "auto") -> Device:
    """As the recipes choose it; but a GPU without bf16 computes in fp32, as the loops by hand scale no losses."""
    device = choose(channels_last=channels_last)
    half = device.dtype is torch.float16
    return choose(precision="fp32", channels_last=channels_last) if half else device


def kind_of_time(device: Device) -> str:
    """By which clock loops of this process are judged on a device: other programs hardly count in CPU time."""
    return "processor" if device.device.type == "cpu" else "wall"


def how(device: Device) -> str:
    layout = ", channels_last" if device.channels_last else ""
    return f"{device.device}, {str(device.dtype).removeprefix('torch.')}{layout}"


@contextlib.contextmanager
def quiet():
    """Progress bars and advice of the peers go nowhere."""
    logging.disable(logging.WARNING)
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
        contextlib.redirect_stdout(nowhere),
    ):
        yield
    logging.disable(logging.NOTSET)


def table_of(title: str, *compared: str, what: str = "loop") -> Table:
    table = Table(title=title, title_justify="left", min_width=100)
    table.add_column(what)
    for name in ("fastest", "quiet", "median", "slowest", *compared):
        table.add_column(name, justify="right")
    return table


def spread(times: Times, kind: str) -> tuple[float, ...]:
    """Fastest, quiet, median, slowest."""
    values = getattr(times, kind)
    return min(values), times.quiet(kind), statistics.median(values), max(values)


def rates(times: Times, kind: str, amount: int) -> tuple[str, ...]:
    """The same per second, for a step that deals with `amount` images."""
    each = (amount / value for value in spread(times, kind))
    return tuple(f"{rate:.0f}" if rate >= 100 else f"{rate:.1f}" for rate in each)


def save(path: Path, **figures: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, default=vars) + "\n")
