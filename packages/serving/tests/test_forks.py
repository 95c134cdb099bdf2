"""A process that is forked after the models were loaded, as by `gunicorn --preload`, has none of their threads: models
are opened anew there, or the reason is told. Nobody waits forever."""

import asyncio
import os
import signal
import time
from collections.abc import Callable

import numpy as np
import pytest
from starlette.types import Message

from torchworks.serving import onnx_engine
from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import check_golden
from torchworks.serving.limits import Settings
from torchworks.serving.onnx_engine import OnnxEngine
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.models.signature import TensorSpec

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


def in_a_fork(work: Callable[[], str]) -> str:
    """What `work` returns or raises in a fork of this process; "still waits" after twenty seconds."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = work()
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    end = time.monotonic() + 20
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "still waits"
        time.sleep(0.02)
    with os.fdopen(read) as file:
        return file.read()


@pytest.mark.parametrize("threads", [1, 2])
def test_an_onnx_model_is_opened_anew_in_a_fork(bundles, monkeypatch, threads):
    monkeypatch.setattr(onnx_engine, "FASTER", 0)  # else so small a model has no threads to lose
    bundle = open_bundle(bundles / "classifier")
    engine = OnnxEngine(bundle, threads=threads, device="cpu")
    assert engine.threads == threads
    check_golden(bundle, engine)

    def again() -> str:
        for _ in range(2):
            check_golden(bundle, engine)
        del engine.session
        return "answered"

    assert in_a_fork(again) == "answered"
    check_golden(bundle, engine)


def test_a_model_that_pytorch_runs_says_in_a_fork_why_it_does_not():
    torch = pytest.importorskip("torch", reason="needs torch")
    from torchworks.serving.torch_engine import TorchEngine

    spec = TensorSpec("x", "features", "float32", ("N",))
    engine = TorchEngine(torch.neg, [spec.name], [spec.name], "cpu")
    inputs = {"x": np.ones(3, np.float32)}
    assert engine.run(inputs)["x"].tolist() == [-1, -1, -1]
    told = in_a_fork(lambda: str(engine.run(inputs)))
    assert told.startswith("UserError: The model was opened before this process was forked")


@pytest.fixture
def app(bundles):
    registry = Registry(Settings())
    registry.add(ServedModel.load(bundles / "classifier", Settings()))
    made = create_app(registry, Settings())
    yield made
    asyncio.run(made.service.close())


def test_a_service_does_not_start_in_a_fork_and_says_why(app):
    assert asyncio.run(started(app)) == "started"
    told = in_a_fork(lambda: asyncio.run(started(app)))
    assert told.startswith("UserError: The service was made before its process was forked")
    assert "--preload" in told


async def started(app) -> str:
    """As a server starts an application, without its end."""
    await app.router.lifespan_context(app).__aenter__()
    return "started"


def test_a_request_in_a_fork_is_refused_with_the_reason_where_the_server_tells_of_no_start(app):
    async def ask() -> str:
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http", "method": "GET", "path": "/v1/models", "raw_path": b"/v1/models", "query_string": b"",
            "headers": [(b"host", b"localhost")], "root_path": "", "client": ("127.0.0.1", 1), "http_version": "1.1",
        }  # fmt: skip
        await app(scope, receive, send)
        return f"{messages[0]['status']} {messages[1]['body'].decode()}"

    assert asyncio.run(ask()).startswith("200 ")
    told = in_a_fork(lambda: asyncio.run(ask()))
    assert told.startswith("503 ")
    assert '"forked"' in told
