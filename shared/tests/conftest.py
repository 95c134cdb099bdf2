"""For the tests of the trainer and its command line: the toy tasks, as a module and as processes.

A process of its own costs seconds, nearly all of them for importing torch. Here processes are forked off a server that
has imported it already, so that a test may start, kill and resume many.
"""

import importlib
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
RECIPES = (
    "classifier", "plain", "gan", "game", "shaken", "unequal", "windows", "mapped", "buckets", "contrast", "lean",
    "ids", "texts",
)  # fmt: skip
BUILDERS = ("recommendations", "weather")


@pytest.fixture(scope="session")
def toy_path() -> Iterator[str]:
    """A search path with the toy modules and, as if installed, the entry points of their recipes."""
    with tempfile.TemporaryDirectory() as folder:
        info = Path(folder) / "toy-0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 0\n")
        points = "\n".join(f"{name} = toy_recipes:{name}" for name in RECIPES)
        builders = "\n".join(f"toy-{name} = toy_models:build_{name}" for name in BUILDERS)
        groups = f"[torchworks.recipes.toy]\n{points}\n[torchworks.builders]\n{builders}\n"
        (info / "entry_points.txt").write_text(groups)
        yield os.pathsep.join([str(HERE), folder])


@pytest.fixture
def toy_recipes(toy_path, monkeypatch) -> ModuleType:
    """The toys' command line, with its recipes announced; imports no torch."""
    for folder in toy_path.split(os.pathsep):
        monkeypatch.syspath_prepend(folder)
    return importlib.import_module("toy_recipes")


@pytest.fixture
def toy(toy_recipes) -> ModuleType:
    """The toy tasks."""
    return importlib.import_module("toy")


@pytest.fixture(scope="session")
def warm(toy_path) -> multiprocessing.context.ForkServerContext:
    """A server that has imported torch and the toys."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["toy", "toy_models", "toy_recipes", "torch._dynamo", "matplotlib.figure"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", toy_path, prepend=os.pathsep)
        patch.setenv("OMP_NUM_THREADS", "1")
        importlib.import_module("multiprocessing.forkserver").ensure_running()
    return context


class Running:
    """A toy's command line at work."""

    def __init__(self, process: ForkServerProcess, log: Path):
        self.process, self.log = process, log

    def wait(self, timeout: float = 300) -> int:
        """Exit code, negative for the signal that ended it."""
        self.process.join(timeout)
        assert self.process.exitcode is not None, f"still running after {timeout} s:\n{self.text}"
        return self.process.exitcode

    def until(self, words: str, timeout: float = 300) -> None:
        """Wait for it to print `words`."""
        end = time.monotonic() + timeout
        while words not in self.text:
            if not self.process.is_alive() or time.monotonic() > end:
                assert words in self.text, f"never printed '{words}':\n{self.text}"
            time.sleep(0.01)

    def send(self, signum: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, signum)

    @property
    def text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def launch(warm, toy_recipes, tmp_path) -> Iterator[Callable[..., Running]]:
    """Start `toy WORDS…` in a process of its own; keyword arguments are environment variables."""
    started: list[Running] = []

    def start(*words: object, **environment: str) -> Running:
        log = tmp_path / f"process-{len(started)}.log"
        process = warm.Process(target=toy_recipes.run, args=([str(word) for word in words], log, environment))
        process.start()
        started.append(Running(process, log))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.join()


@pytest.fixture
def launch_two(launch) -> Callable[..., list[Running]]:
    """The same in two processes that train together over gloo, as torchrun starts them."""

    def start(*words: object) -> list[Running]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        return [launch(*words, RANK=str(rank), LOCAL_RANK=str(rank), **place) for rank in range(2)]

    return start
