"""How fast and how surely the service answers, beside FastAPI as one writes it by hand and LitServe.

    make bench-serving               some minutes; ARGS="--quick" for a first look, --bundle DIR for another classifier

The same ONNX model behind three services (fastapi_peer.py, litserve_peer.py), asked with the same images by the same
callers (load.py), in turns within one run; a service whose turn it is not is stopped, so that it takes no CPU time. An
answer counts when its class and its probabilities are those of the model called directly. It ends with the targets and
whether they are met; it never fails because of one. Let the machine do nothing else meanwhile.

closed loop: 64 callers who wait for their answers; the rate is the service's capacity. open loop: requests at random
times, at half, once and twice that capacity. goodput: right answers within a second.
"""

import argparse
import base64
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
import uvloop
from fastapi_peer import Reader
from load import Call, Line, Outcome, allow_connections, closed_loop, message, open_loop, summary
from neighbours import answered_beside, bad_messages
from PIL import Image
from report import Target, print_machine, print_targets, save
from rich.console import Console
from rich.table import Table

from torchworks.cnn_vision.classification.predictor import build_classifier, classifier_config
from torchworks.serving.bundle import open_bundle
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export
from torchworks.shared.models.predictor import save_model

OUT = Path("build/bench/serving.json")
OURS, FASTAPI, LITSERVE = "ours", "FastAPI, threads", "LitServe"
CALLERS, PICTURES, SIZE = 64, 64, 32
LIMIT = 1.0
LOADS = (0.5, 1.0, 2.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"where to save the figures (default: {OUT})")
    parser.add_argument("--bundle", type=Path, help="an ONNX bundle of a classifier (default: a new ResNet-20)")
    parser.add_argument("--quick", action="store_true", help="one short round")
    given = parser.parse_args()
    allow_connections()

    begun, console = time.monotonic(), Console(highlight=False, width=120)
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
        opened = measure_open(services, calls, capacity, seconds)
        beside = measure_neighbours(services, calls)

    overhead = {name: 1000 * (statistics.median(found) - statistics.median(direct)) for name, found in alone.items()}
    print_closed(console, closed, overhead)
    print_open(console, opened)
    print_neighbours(console, beside)
    targets = targets_of(closed, opened, capacity, overhead)
    targets.append(unharmed(beside))
    print_targets(console, targets)
    elapsed = round(time.monotonic() - begun, 1)
    figures = {"closed": closed, "open": opened, "overhead_ms": overhead, "neighbours": beside}
    save(given.out, machine=machine, targets=targets, seconds=elapsed, **figures)
    console.print(f"{elapsed:.0f} s; saved as {given.out}")


# ---- what is asked ---------------------------------------------------------------------------------------


def make_bundle(folder: Path) -> Path:
    """A ResNet-20 for color images, untrained: it costs what a trained one costs."""
    torch.manual_seed(0)
    config = classifier_config("resnet20", SIZE, 3, tuple("abcdefghij"), True, None, [0.5] * 3, [0.25] * 3)
    images = torch.randint(0, 256, (4, 3, SIZE, SIZE), dtype=torch.uint8)
    save_model(
        folder / "run", build_classifier(config).eval(), package="cnn-vision", recipe="bench",
        builder="cnn-vision-classifier", config=config, golden={"image": images[:2]}, samples={"image": images},
    )  # fmt: skip
    export(Export(folder / "run", out=folder / "bundle", seconds=0.1))
    return folder / "bundle"


def images(channels: int) -> list[bytes]:
    """PNG files of noise, each another."""
    random, mode = np.random.default_rng(0), "RGB" if channels == 3 else "L"
    files = []
    for _ in range(PICTURES):
        shape = (2 * SIZE, 2 * SIZE, 3) if channels == 3 else (2 * SIZE, 2 * SIZE)
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, shape).astype(np.uint8), mode).save(file, "PNG")
        files.append(file.getvalue())
    return files


def make_calls(bundle: Path, url: str, name: str) -> list[Call]:
    reader = Reader(open_bundle(bundle), threads=1)
    found = []
    for body in images(int(reader.channels)):
        wanted = reader.run(reader.decode(body)[None])[0]
        encoded = json.dumps({"image": base64.b64encode(body).decode()}).encode()
        sent = message(url, encoded, "application/json") if name == LITSERVE else message(url, body, "image/png")
        found.append(Call(sent, _right(reader, wanted)))
    return found


def _right(reader: Reader, wanted: np.ndarray) -> Callable[[bytes], bool]:
    label = reader.labels[int(wanted.argmax())]

    def right(body: bytes) -> bool:
        answer = json.loads(body)
        answer = answer["outputs"]["probability"][0] if "outputs" in answer else answer
        given = np.array([answer["probabilities"][name] for name in reader.labels])
        return answer["label"] == label and bool(np.abs(given - wanted).max() < 1e-4)

    return right


# ---- the services ----------------------------------------------------------------------------------------


class Service:
    """A service in a process group of its own, that can be stopped and let go on."""

    def __init__(self, process: subprocess.Popen, url: str):
        self.process, self.url = process, url

    @contextmanager
    def turn(self) -> Iterator[None]:
        os.killpg(self.process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGSTOP)


@contextmanager
def started(name: str, bundle: Path, said: IO[bytes]) -> Iterator[Service]:
    """What it prints goes into the file `said`."""
    port = free_port()
    here = Path(__file__).parent
    peer = {FASTAPI: "fastapi_peer.py", LITSERVE: "litserve_peer.py"}
    words = [str(here / peer[name]), str(bundle), str(port)] if name in peer else [
        "-m", "torchworks.serving", "serve", str(bundle), "--port", str(port),
    ]  # fmt: skip
    path = "/predict" if name in peer else f"/v1/models/{open_bundle(bundle).manifest.name}/predict"
    process = subprocess.Popen([sys.executable, *words], stdout=said, stderr=said, start_new_session=True)
    service = Service(process, f"http://127.0.0.1:{port}{path}")
    try:
        if not answers(port, process):
            said.seek(0)
            raise SystemExit(f"{name} does not start:\n{said.read().decode()[-2000:]}")
        uvloop.run(closed_loop(service.url, make_calls(bundle, service.url, name), 8, 1.0))  # warm
        os.killpg(process.pid, signal.SIGSTOP)
        yield service
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            for number in (signal.SIGCONT, signal.SIGTERM):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answers(port: int, process: subprocess.Popen, seconds: float = 60.0) -> bool:
    """Whether something listens there within the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


# ---- measuring -------------------------------------------------------------------------------------------


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


def measure_closed(
    services: dict[str, Service], calls: dict[str, list[Call]], rounds: int, seconds: float
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in services}
    for _ in range(rounds):
        for name, service in services.items():
            with service.turn():
                outcomes = uvloop.run(closed_loop(service.url, calls[name], CALLERS, seconds))
            found[name].append(summary(outcomes, LIMIT))
    return found


def measure_open(
    services: dict[str, Service], calls: dict[str, list[Call]], capacity: dict[str, float], seconds: float
) -> dict[str, dict[str, dict[str, Any]]]:
    """At shares of each service's own capacity, and all at half of the smallest, to compare their p99."""
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in services}
    loads: list[tuple[str, Callable[[str], float]]] = [
        (f"{load:g} × own", lambda name, load=load: load * capacity[name]) for load in LOADS
    ]
    loads.append(("half of the slowest", lambda name: min(capacity.values()) / 2))
    for title, rate in loads:
        for name, service in services.items():
            with service.turn():
                outcomes: list[Outcome] = uvloop.run(open_loop(service.url, calls[name], rate(name), 2 * seconds))
            found[name][title] = {"rate": rate(name), **summary(outcomes, LIMIT)}
    return found


def measure_neighbours(services: dict[str, Service], calls: dict[str, list[Call]]) -> dict[str, dict[str, int]]:
    """What becomes of good requests that come together with bad ones."""
    found: dict[str, dict[str, int]] = {}
    for name, service in services.items():
        bad = bad_messages(service.url, as_json=name == LITSERVE)
        with service.turn():
            found[name] = dict(uvloop.run(answered_beside(service.url, calls[name], bad)))
    return found


# ---- printing --------------------------------------------------------------------------------------------


def print_closed(console: Console, closed: dict[str, list[dict[str, Any]]], overhead: dict[str, float]) -> None:
    table = Table(
        title=f"closed loop, {CALLERS} callers; median (lowest to highest) of the rounds", title_justify="left"
    )
    for name in ("service", "right answers / s", "p50 ms", "p99 ms", "wrong", "failed", "overhead alone, ms"):
        table.add_column(name, justify="left" if name == "service" else "right")
    for name, rounds in closed.items():
        rates = sorted(each["throughput"] for each in rounds)
        middle = {key: statistics.median(each[key] for each in rounds) for key in ("p50_ms", "p99_ms")}
        table.add_row(
            name, f"{statistics.median(rates):.0f} ({rates[0]:.0f} to {rates[-1]:.0f})", _ms(middle["p50_ms"]),
            _ms(middle["p99_ms"]), str(sum(each["wrong"] for each in rounds)),
            str(sum(each["failed"] for each in rounds)), f"{overhead[name]:.2f}",
        )  # fmt: skip
    console.print(table)


def print_open(console: Console, opened: dict[str, dict[str, dict[str, Any]]]) -> None:
    table = Table(title="open loop", title_justify="left")
    for name in (
        "load",
        "service",
        "asked / s",
        "goodput / s",
        "p50 ms",
        "p99 ms",
        "refused",
        "refused p99 ms",
        "failed",
    ):
        table.add_column(name, justify="left" if name in ("load", "service") else "right")
    for title in next(iter(opened.values())):
        for name, loads in opened.items():
            row = loads[title]
            table.add_row(
                title, name, f"{row['rate']:.0f}", f"{row['goodput']:.0f}", _ms(row["p50_ms"]), _ms(row["p99_ms"]),
                str(row["refused"]), _ms(row["refused_p99_ms"]), str(row["failed"] + row["wrong"]),
            )  # fmt: skip
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


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def targets_of(
    closed: dict[str, list[dict[str, Any]]],
    opened: dict[str, dict[str, dict[str, Any]]],
    capacity: dict[str, float],
    overhead: dict[str, float],
) -> list[Target]:
    peers = [name for name in closed if name != OURS]
    ratios = {name: capacity[OURS] / capacity[name] for name in peers}
    half = {name: loads["half of the slowest"]["p99_ms"] for name, loads in opened.items()}
    twice = opened[OURS]["2 × own"]
    share = twice["goodput"] / capacity[OURS]
    refused = twice["refused_p99_ms"]
    wrong = sum(each["wrong"] for each in closed[OURS])
    return [
        Target("no wrong answer", f"{wrong} of {sum(each['requests'] for each in closed[OURS])}", wrong == 0),
        Target(
            "at least as many answers a second as each peer",
            "; ".join(f"{ratio:.2f} × {name}" for name, ratio in ratios.items()), min(ratios.values()) >= 1,
        ),
        Target(
            "p99 at the same half load no higher than each peer's",
            "; ".join(f"{name} {_ms(value)} ms" for name, value in half.items()),
            all(half[OURS] <= half[name] for name in peers),
        ),
        Target("at most 1.5 ms more than a direct call (p50)", f"{overhead[OURS]:.2f} ms", overhead[OURS] <= 1.5),
        Target("at twice the capacity, goodput of at least 90 % of it", f"{share:.0%}", share >= 0.9),
        Target(
            "refusals in less than 10 ms (p99)", f"{_ms(refused)} ms", None if refused is None else refused < 10
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
