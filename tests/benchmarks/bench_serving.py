"""How fast and how surely the service answers, beside FastAPI as one writes it by hand and LitServe.

    make bench-serving               some minutes; ARGS="--quick" for a first look, --bundle DIR for another classifier

The same ONNX model behind three services (fastapi_peer.py, litserve_peer.py), asked with the same images by the same
callers (load.py), in turns within one run; a service whose turn it is not is stopped, so that it takes no CPU time. An
answer counts when its class and its probabilities are those of the model called directly. It ends with the targets and
whether they are met; it never fails because of one. Let the machine do nothing else meanwhile.

closed loop: 64 callers who wait for their answers; the rate is the service's capacity. open loop: requests at random
times, at half, once and twice that capacity. goodput: right answers within a second. The callers run on the same CPUs;
what they take is measured (CPU seconds a second), and the peak that goodput under overload is compared with is the
capacity that the rest of the CPUs leaves: capacity × (CPUs − callers' share then) / (CPUs − their share in the closed
loop). At the end our service alone goes through steps of load with a pause of a second in which it is stopped, and
says how it fares inside (traced_service.py).
"""

import argparse
import asyncio
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop
from fastapi_peer import Reader
from load import Call, Line, Outcome, allow_connections, closed_loop, open_loop, summary
from neighbours import answered_beside, bad_messages
from report import print_machine, print_targets, save
from rich.console import Console
from services import FASTAPI, LITSERVE, OURS, Service, make_bundle, make_calls, started
from serving_report import print_closed, print_neighbours, print_open, print_steps, targets_of, unharmed

from torchworks.serving.bundle import open_bundle

OUT = Path("build/bench/serving.json")
CALLERS = 64
LIMIT = 1.0
LOADS = (0.5, 1.0, 2.0)
FIRST = 100
"""Requests at the full rate after a start."""
STEPS = ((0.2, 2.0), (2.0, 4.0), (0.9, 6.0), (1.0, 4.0))
"""Shares of the capacity, and seconds."""
PAUSE_AT, PAUSE = 8.0, 1.0
"""Seconds from the beginning of the steps."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--bundle", type=Path, help="an ONNX bundle of a classifier (default: a new ResNet-20)")
    parser.add_argument("--quick", action="store_true", help="one short round")
    given = parser.parse_args()
    allow_connections()

    begun, console = time.monotonic(), Console(highlight=False, width=170)
    machine = print_machine(console)
    rounds, seconds = (1, 2.0) if given.quick else (5, 4.0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bundle = given.bundle or make_bundle(Path(folder))
        services = {
            name: stack.enter_context(started(name, bundle, stack.enter_context(tempfile.TemporaryFile())))
            for name in (OURS, FASTAPI, LITSERVE)
        }
        calls = {name: make_calls(bundle, services[name].url, name) for name in services}
        direct = direct_seconds(bundle, calls[OURS])
        alone = {name: alone_seconds(service, calls[name]) for name, service in services.items()}
        closed = measure_closed(services, calls, rounds, seconds)
        capacity = {name: statistics.median(each["throughput"] for each in found) for name, found in closed.items()}
        opened = measure_open(services, calls, capacity, rounds, seconds)
        beside = measure_neighbours(services, calls)
        refused_first = measure_first(bundle, capacity[OURS])
        steps = measure_steps(bundle, capacity[OURS])

    overhead = {name: 1000 * (statistics.median(found) - statistics.median(direct)) for name, found in alone.items()}
    print_closed(console, closed, overhead)
    print_open(console, opened)
    print_neighbours(console, beside)
    print_steps(console, steps)
    targets = [*targets_of(closed, opened, overhead, refused_first), unharmed(beside)]
    print_targets(console, targets)
    elapsed = round(time.monotonic() - begun, 1)
    figures = {
        "closed": closed,
        "open": opened,
        "overhead_ms": overhead,
        "neighbours": beside,
        "refused_first": refused_first,
        "steps": steps,
    }
    save(given.out, machine=machine, targets=targets, seconds=elapsed, **figures)
    console.print(f"{elapsed:.0f} s; saved as {given.out}")


# ---- measuring ------------------------------------------------------------------------------------------


def direct_seconds(bundle: Path, calls: list[Call]) -> list[float]:
    """Of decoding and running one image without any service."""
    reader, seconds = Reader(open_bundle(bundle), threads=1), []
    bodies = [call.message.partition(b"\r\n\r\n")[2] for call in calls]  # of `ours`: the files themselves
    for turn in range(300):
        begun = time.perf_counter()
        reader.answer(reader.run(reader.decode(bodies[turn % len(bodies)])[None])[0])
        seconds.append(time.perf_counter() - begun)
    return seconds


def alone_seconds(service: Service, calls: list[Call]) -> list[float]:
    """Of single requests, one after the other."""
    with service.turn(), Line(service.url) as line:
        return [line.seconds(calls[turn % len(calls)].message) for turn in range(300)]


def loaded(load: Coroutine[Any, Any, list[Outcome]]) -> tuple[list[Outcome], float]:
    """What came of a load, and the CPU seconds a second that the callers took meanwhile."""
    gc.collect()
    gc.freeze()  # going through all that was ever imported takes the callers a quarter of a second
    cpu, wall = time.process_time(), time.perf_counter()
    outcomes = uvloop.run(load)
    return outcomes, (time.process_time() - cpu) / (time.perf_counter() - wall)


def measure_closed(
    services: dict[str, Service], calls: dict[str, list[Call]], rounds: int, seconds: float
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in services}
    for _ in range(rounds):
        for name, service in services.items():
            with service.turn():
                outcomes, callers = loaded(closed_loop(service.url, calls[name], CALLERS, seconds))
            found[name].append({"callers": callers, **summary(outcomes, LIMIT)})
    return found


def measure_open(
    services: dict[str, Service], calls: dict[str, list[Call]], capacity: dict[str, float], rounds: int, seconds: float
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """At shares of each service's own capacity, and all at half of the smallest, to compare their p99."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in services}
    loads: list[tuple[str, Callable[[str], float]]] = [
        (f"{load:g} × own", lambda name, load=load: load * capacity[name]) for load in LOADS
    ]
    loads.append(("half of the slowest", lambda name: min(capacity.values()) / 2))
    for turn in range(rounds):
        for title, rate in loads:
            for name, service in services.items():
                with service.turn():
                    outcomes, callers = loaded(open_loop(service.url, calls[name], [(rate(name), seconds)], turn))
                row = {"rate": rate(name), "callers": callers, **summary(outcomes, LIMIT)}
                found[name].setdefault(title, []).append(row)
    return found


def measure_neighbours(services: dict[str, Service], calls: dict[str, list[Call]]) -> dict[str, dict[str, int]]:
    """What becomes of good requests that come together with bad ones."""
    found: dict[str, dict[str, int]] = {}
    for name, service in services.items():
        bad = bad_messages(service.url, as_json=name == LITSERVE)
        with service.turn():
            found[name] = dict(uvloop.run(answered_beside(service.url, calls[name], bad)))
    return found


def measure_first(bundle: Path, rate: float) -> int:
    """Refusals among the first requests that our service gets after a start, at the full rate."""
    with tempfile.TemporaryFile() as said, started(OURS, bundle, said, warm=False) as service, service.turn():
        calls = make_calls(bundle, service.url, OURS)
        outcomes, _ = loaded(open_loop(service.url, calls, [(rate, 2 * FIRST / rate)]))
        return sum(outcome.status != 200 for outcome in sorted(outcomes, key=lambda outcome: outcome.due)[:FIRST])


def measure_steps(bundle: Path, capacity: float) -> list[dict[str, Any]]:
    """How our service fares through steps of load, each half second."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as said:
        trace = Path(folder) / "trace.jsonl"
        with started(OURS, bundle, said, trace=trace) as service, service.turn():
            calls = make_calls(bundle, service.url, OURS)
            begun = time.time()

            async def load() -> list[Outcome]:
                pause = asyncio.ensure_future(service.pause(PAUSE_AT, PAUSE))
                outcomes = await open_loop(service.url, calls, [(share * capacity, long) for share, long in STEPS])
                await pause
                return outcomes

            outcomes, _ = loaded(load())
        inside = [json.loads(line) for line in trace.read_text().splitlines()]
    return [
        row(outcomes, inside, begun, number * 0.5, 0.5) for number in range(int(2 * sum(long for _, long in STEPS)))
    ]


def row(
    outcomes: list[Outcome], inside: list[dict[str, float]], begun: float, since: float, long: float
) -> dict[str, Any]:
    """What became of the requests that were due in this part of the steps, and the service's own figures then."""
    first = min(outcome.due for outcome in outcomes)
    due = [outcome for outcome in outcomes if since <= outcome.due - first < since + long]
    then = [each for each in inside if since <= each["time"] - begun < since + long]
    figures = {
        "since": since,
        "asked": len(due) / long,
        "answered": sum(outcome.right for outcome in due) / long,
        "refused": sum(outcome.status == 429 for outcome in due) / long,
        "slowest_ms": 1000 * max((outcome.seconds for outcome in due), default=0.0),
    }
    if then:
        figures |= {name: max(each[name] for each in then) for name in ("before", "lag_ms")}
        figures |= {
            "rate": then[-1]["rate"],
            "batch": sum(e["rows"] for e in then) / max(1, sum(e["batches"] for e in then)),
        }
    return figures


if __name__ == "__main__":
    main()
