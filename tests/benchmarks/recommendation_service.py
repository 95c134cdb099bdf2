"""How many users a second a service recommends ten films to, by requests of one user and of 64."""

import asyncio
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from load import Call, closed_loop, message
from report import Target, quiet
from rich.console import Console
from seq_service import cpu_seconds
from services import OURS, started

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.serving.bundle import Bundle, open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export
from torchworks.shared.cli import main
from torchworks.shared.models.signature import TensorSpec

CALLERS = {1: 16, 64: 4}
"""By users of a request: what a service takes at once by its usual limits."""
LEAST = 1000


@dataclass(frozen=True)
class Rate:
    """Users a second by the clock on the wall and of the service's CPU time, a number for each round."""

    wall: list[float]
    processor: list[float]


def make_bundle(folder: Path) -> Bundle:
    """The recipe `recommend` on MovieLens 100K, hardly trained: it costs what a trained one costs."""
    words = ["train", "recommend", "--out", str(folder / "run"), "--trainer.steps", "2", "--no-blend"]
    assert main("hybrid-multimodal", "recommend", COMMANDS, words) == 0, "recommend cannot be trained"
    export(Export(folder / "run", out=folder / "bundle", seconds=0, name="films"))
    return open_bundle(folder / "bundle")


def calls(bundle: Bundle, url: str, users: int) -> list[Call]:
    """Requests for all users in turn, and whether an answer names the films that the engine names in this process."""
    spec, item = bundle.manifest.signature.inputs[0], bundle.manifest.signature.outputs[0]
    numbers = np.array([number for number, token in enumerate(spec.labels) if token])
    engine, found = open_engine(bundle), []
    for begin in range(0, len(numbers) - users + 1, users):
        rows = numbers[begin : begin + users]
        filled = {each.name: _usual(each, users) for each in bundle.manifest.signature.inputs[1:]}
        wanted = engine.run({spec.name: rows, **filled})[item.name]
        names = [[item.labels[k] for k in row if k > 0] for row in wanted.tolist()]
        body = json.dumps({"inputs": {spec.name: [spec.labels[row] for row in rows]}}).encode()
        found.append(Call(message(url, body, "application/json"), _right(item.name, names)))
    return found


def _usual(spec: TensorSpec, users: int) -> np.ndarray:
    """What a request has that leaves this input out."""
    assert spec.default is not None, f"{spec.name} cannot be left out"
    return np.full((users, *([1] if spec.pad is not None else [])), spec.default, spec.dtype)


def _right(name: str, names: list[list[str]]) -> Callable[[bytes], bool]:
    def right(body: bytes) -> bool:
        return [[one["label"] for one in row] for row in json.loads(body)["outputs"][name]] == names

    return right


def rates(console: Console, *, seconds: float, rounds: int) -> dict[int, Rate]:
    """By users of a request. Raises `AssertionError` if an answer is another one than the engine's."""
    found = {}
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as said:
        with quiet():
            bundle = make_bundle(Path(name))
        with started(OURS, Path(name) / "bundle", said, warm=False) as service:
            for users, callers in CALLERS.items():
                asked, rate = calls(bundle, service.url, users), Rate([], [])
                for turn in range(rounds + 1):  # the first warms up
                    with service.turn():
                        before = cpu_seconds(service.process.pid)
                        outcomes = asyncio.run(closed_loop(service.url, asked, callers, seconds))
                        spent = cpu_seconds(service.process.pid) - before
                    assert all(outcome.right for outcome in outcomes), "the service answers otherwise than the engine"
                    took = max(each.ended for each in outcomes) - min(each.due for each in outcomes)
                    if turn:
                        rate.wall.append(users * len(outcomes) / took)
                        rate.processor.append(users * len(outcomes) / spent)
                found[users] = rate
                console.print(
                    f"service, {users} users a request, {callers} callers: {statistics.median(rate.wall):,.0f} users a "
                    f"second, {statistics.median(rate.processor):,.0f} of a CPU second"
                )
    return found


def targets(found: dict[int, Rate]) -> list[Target]:
    return [
        Target(
            f"service, {users} users a request: at least {LEAST} a second of one core",
            f"{statistics.median(rate.processor):,.0f}", statistics.median(rate.processor) >= LEAST,
        )
        for users, rate in found.items()
    ]  # fmt: skip
