"""What bench_serving.py prints: every round, the steps of load, and whether the targets are met."""

import statistics
from typing import Any

from report import Target
from rich.console import Console
from rich.table import Table
from services import OURS

from torchworks.shared.machine.facts import affinity

Round = dict[str, Any]


def print_closed(console: Console, closed: dict[str, list[Round]], overhead: dict[str, float]) -> None:
    table = Table(title="closed loop, median of the rounds", title_justify="left")
    columns = (
        "service",
        "right answers / s",
        "each round",
        "p50 ms",
        "p99 ms",
        "callers' CPUs",
        "wrong",
        "failed",
        "overhead alone, ms",
    )
    for name in columns:
        table.add_column(name, justify="left" if name in ("service", "each round") else "right")
    for name, rounds in closed.items():
        table.add_row(
            name, f"{middle(rounds, 'throughput'):.0f}", " ".join(f"{each['throughput']:.0f}" for each in rounds),
            _ms(middle(rounds, "p50_ms")), _ms(middle(rounds, "p99_ms")), f"{middle(rounds, 'callers'):.2f}",
            str(total(rounds, "wrong")), str(total(rounds, "failed")), f"{overhead[name]:.2f}",
        )  # fmt: skip
    console.print(table)


def print_open(console: Console, opened: dict[str, dict[str, list[Round]]]) -> None:
    """Medians of the rounds; the goodput of each."""
    table = Table(title="open loop, median of the rounds", title_justify="left")
    columns = (
        "load", "service", "asked / s", "answered", "goodput / s", "each round", "p50 ms", "p99 ms", "refused",
        "p50 ms", "p99 ms", "callers' CPUs", "failed",
    )  # fmt: skip
    for name in columns:
        table.add_column(name, justify="left" if name in ("load", "service", "each round") else "right")
    for title in next(iter(opened.values())):
        for name, loads in opened.items():
            rounds = loads[title]
            table.add_row(
                title, name, f"{middle(rounds, 'rate'):.0f}", f"{middle(rounds, 'answered_share'):.1%}",
                f"{middle(rounds, 'goodput'):.0f}", " ".join(f"{each['goodput']:.0f}" for each in rounds),
                _ms(middle(rounds, "p50_ms")), _ms(middle(rounds, "p99_ms")), str(total(rounds, "refused")),
                _ms(middle(rounds, "refused_p50_ms")), _ms(middle(rounds, "refused_p99_ms")),
                f"{middle(rounds, 'callers'):.2f}", str(total(rounds, "failed") + total(rounds, "wrong")),
            )  # fmt: skip
    console.print(table)


def print_steps(console: Console, steps: list[Round]) -> None:
    table = Table(title="ours through steps of load; it is stopped for the second from 8 s on", title_justify="left")
    columns = {
        "since": "from s", "asked": "asked / s", "answered": "answered / s", "refused": "refused / s",
        "slowest_ms": "slowest ms", "rate": "rate believed", "before": "most rows waiting", "batch": "mean batch",
        "lag_ms": "event loop's lag, ms",
    }  # fmt: skip
    for name in columns.values():
        table.add_column(name, justify="right")
    for step in steps:
        table.add_row(*(_number(step.get(name)) for name in columns))
    console.print(table)


def print_neighbours(console: Console, beside: dict[str, dict[str, int]]) -> None:
    table = Table(title="good requests that come together with bad and ragged ones", title_justify="left")
    for name in ("service", "right answers", "harmed"):
        table.add_column(name, justify="left" if name == "service" else "right")
    for name, found in beside.items():
        table.add_row(name, str(found.get("right", 0)), str(found.get("harmed", 0)))
    console.print(table)


def unharmed(beside: dict[str, dict[str, int]]) -> Target:
    harmed = {name: found.get("harmed", 0) for name, found in beside.items()}
    counts = "; ".join(f"{name} {count}" for name, count in harmed.items())
    return Target("no good request harmed by bad ones beside it", counts, harmed[OURS] == 0)


def middle(rounds: list[Round], name: str) -> float | None:
    found = [each[name] for each in rounds if each[name] is not None]
    return statistics.median(found) if found else None


def total(rounds: list[Round], name: str) -> int:
    return sum(each[name] for each in rounds)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def targets_of(
    closed: dict[str, list[Round]],
    opened: dict[str, dict[str, list[Round]]],
    overhead: dict[str, float],
    refused_first: int,
) -> list[Target]:
    peers = [name for name in closed if name != OURS]
    capacity = {name: middle(rounds, "throughput") for name, rounds in closed.items()}
    ratios = {name: capacity[OURS] / capacity[name] for name in peers}
    half = {name: middle(loads["half of the slowest"], "p99_ms") for name, loads in opened.items()}
    once, twice = opened[OURS]["1 × own"], opened[OURS]["2 × own"]
    slowest = min(each["throughput"] for each in closed[OURS]) / capacity[OURS]
    share = middle(twice, "goodput") / peak(closed[OURS], twice)
    p50, p99 = middle(twice, "refused_p50_ms"), middle(twice, "refused_p99_ms")
    wrong = total(closed[OURS], "wrong")
    return [
        Target("no wrong answer", f"{wrong} of {total(closed[OURS], 'requests')}", wrong == 0),
        Target(
            "at least 1.8 × the answers a second of each peer",
            "; ".join(f"{ratio:.2f} × {name}" for name, ratio in ratios.items()), min(ratios.values()) >= 1.8,
        ),
        Target("no round below 0.8 of the median", f"the slowest {slowest:.2f} of it", slowest >= 0.8),
        Target(
            "p99 at the same half load no higher than each peer's",
            "; ".join(f"{name} {_ms(value)} ms" for name, value in half.items()),
            all(half[OURS] <= half[name] for name in peers),
        ),
        Target("at most 0.5 ms more than a direct call (p50)", f"{overhead[OURS]:.2f} ms", overhead[OURS] <= 0.5),
        Target(
            "at the capacity, 97 % are answered", f"{middle(once, 'answered_share'):.1%}",
            middle(once, "answered_share") >= 0.97,
        ),
        Target("at twice the capacity, goodput of at least 90 % of the peak", f"{share:.0%}", share >= 0.9),
        Target(
            "refusals within 5 ms (p50) and 50 ms (p99)", f"{_ms(p50)} and {_ms(p99)} ms",
            None if p50 is None else p50 <= 5 and p99 <= 50,
        ),
        Target("the first hundred requests after a start are answered", f"{refused_first} were not", not refused_first),
    ]  # fmt: skip


def peak(closed: list[Round], overloaded: list[Round]) -> float:
    """Answers a second that the CPUs allow which the callers leave when there are as many as under the overload."""
    left = (affinity() - middle(overloaded, "callers")) / (affinity() - middle(closed, "callers"))
    return middle(closed, "throughput") * min(1.0, left)
