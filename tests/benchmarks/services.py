"""The services that bench_serving.py measures, each a process of its own, and what they are asked."""

import asyncio
import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np
import torch
import uvloop
from fastapi_peer import Reader
from load import Call, closed_loop, message
from PIL import Image

from torchworks.cnn_vision.classification.predictor import build_classifier, classifier_config
from torchworks.serving.bundle import open_bundle
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export
from torchworks.shared.models.predictor import save_model

OURS, FASTAPI, LITSERVE = "ours", "FastAPI, threads", "LitServe"
PICTURES, SIZE = 64, 32

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
            self.stop()

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGSTOP)

    async def pause(self, after: float, seconds: float) -> None:
        """Stop it for some seconds."""
        await asyncio.sleep(after)
        self.stop()
        await asyncio.sleep(seconds)
        os.killpg(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        """By SIGTERM, and after a while by force."""
        with suppress(ProcessLookupError):  # it has ended by itself
            for number in (signal.SIGCONT, signal.SIGTERM):
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
            os.killpg(self.process.pid, signal.SIGKILL)


@contextmanager
def started(
    name: str, bundle: Path, said: IO[bytes], *, warm: bool = True, trace: Path | None = None
) -> Iterator[Service]:
    """What it prints goes into the file `said`; ours writes how it fares inside into `trace`."""
    port = free_port()
    here = Path(__file__).parent
    peer = {FASTAPI: "fastapi_peer.py", LITSERVE: "litserve_peer.py"}
    program = ["-m", "torchworks.serving"] if trace is None else [str(here / "traced_service.py"), str(trace)]
    words = [*program, "serve", str(bundle), "--port", str(port)]
    words = [str(here / peer[name]), str(bundle), str(port)] if name in peer else words
    path = "/predict" if name in peer else f"/v1/models/{open_bundle(bundle).manifest.name}/predict"
    process = subprocess.Popen([sys.executable, *words], stdout=said, stderr=said, start_new_session=True)
    service = Service(process, f"http://127.0.0.1:{port}{path}")
    try:
        if not answers(port, process):
            said.seek(0)
            raise SystemExit(f"{name} does not start:\n{said.read().decode()[-2000:]}")
        if warm:
            uvloop.run(closed_loop(service.url, make_calls(bundle, service.url, name), 8, 1.0))
        os.killpg(process.pid, signal.SIGSTOP)
        yield service
    finally:
        service.end()


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
