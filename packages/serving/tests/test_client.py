"""Promises of the Python client, tried on a service over a real socket."""

import asyncio
import io
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import httpx2
import numpy as np
import pytest
import uvicorn
from fastapi.responses import JSONResponse
from PIL import Image
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

sys.path.insert(0, str(Path(__file__).parent))

import tiny_bundles

from torchworks.serving.app import create_app
from torchworks.serving.bundle import Bundle, BundleManifest, open_bundle
from torchworks.serving.client import AsyncClient, Classification, Client, Findings, ServiceError, clients, stub
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError, from_dict, to_dict

CLASSES = tiny_bundles.CLASSES
KEY = "a key"


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    made = [open_bundle(tiny_bundles.write(name, folder / name)) for name in tiny_bundles.TINY]
    return {bundle.manifest.name: bundle for bundle in made}


class Watched:
    """A service that notes type and length of the bodies that come, and first gives `refusals`."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self.seen: list[tuple[str, int]] = []
        self.refusals: list[JSONResponse] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        if "content-type" in headers:
            self.seen.append((headers["content-type"], int(headers["content-length"])))
        app = self.refusals.pop(0) if self.refusals and scope["type"] == "http" else self.app
        await app(scope, receive, send)


def real_service(bundles: dict[str, Bundle]) -> ASGIApp:
    settings = Settings(limits=Limits(rows=4, body_bytes=10_000), api_key=KEY)
    registry = Registry(settings)
    for bundle in bundles.values():
        registry.add(ServedModel.load(bundle.folder, settings))
    return create_app(registry, settings)


def refusal(status: int, code: str, **headers: str) -> JSONResponse:
    body = {"error": {"code": code, "message": "One sentence.", "request_id": "r1"}}
    return JSONResponse(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


@contextmanager
def listening(app: ASGIApp):
    """The address of `app`, served by uvicorn in a thread."""
    taken = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        taken.close()


@pytest.fixture(scope="module")
def app(bundles):
    return Watched(real_service(bundles))


@pytest.fixture(scope="module")
def url(app):
    with listening(app) as address:
        yield address


@pytest.fixture
def client(url):
    with Client(url, api_key=KEY, timeout=5) as made:
        yield made


@pytest.fixture
def seen(app):
    app.seen.clear()
    return app.seen


def png(label: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(tiny_bundles.picture(label)[0]).save(file, "PNG")
    return file.getvalue()


def test_the_models_of_a_service_and_what_each_takes_are_told(client):
    assert client.models() == ["tiny-classifier", "tiny-findings", "tiny-generator", "tiny-translator"]
    card = client.model("tiny-classifier").card
    assert (card.version, card.labels, card.limits["rows"]) == ("1", CLASSES, 4)
    assert card.signature.inputs[0].shape == ("N", 1, 8, 8)


def test_a_picture_gives_the_same_label_however_it_is_handed_over(client, tmp_path):
    (tmp_path / "square.png").write_bytes(png(1))
    pictures = [
        tmp_path / "square.png",
        str(tmp_path / "square.png"),
        png(1),
        Image.open(io.BytesIO(png(1))),
        tiny_bundles.picture(1),
        tiny_bundles.picture(1)[None],
    ]
    model = client.model("tiny-classifier")
    answers = [model.predict(image=picture)[0] for picture in pictures]
    assert {answer.label for answer in answers} == {"square"}
    assert all(isinstance(answer, Classification) and answer == answers[0] for answer in answers)
    assert answers[0].probability == answers[0].probabilities["square"] > 0.9


def test_one_picture_is_sent_as_it_is_and_several_in_one_request(client, seen):
    model = client.model("tiny-classifier", version="1")
    model.predict(image=png(0))
    several = model.predict(image=[png(0), png(1), png(2)])
    assert [row.label for row in several] == list(CLASSES)
    assert seen[0] == ("image/png", len(png(0)))
    assert [kind for kind, _ in seen] == ["image/png", "application/json"]


def test_an_answer_says_which_version_gave_it_under_which_request(client):
    prediction = client.model("tiny-classifier").predict(image=png(0))
    assert (prediction.model, prediction.version) == ("tiny-classifier", "1")
    assert prediction.request_id
    assert len(prediction) == 1
    assert prediction[:1] == prediction.rows


def test_findings_are_named_with_their_probabilities(client):
    (row,) = client.model("tiny-findings").predict(image=png(2))
    assert isinstance(row, Findings)
    assert row.above(0.9) == ["triangle"]


def test_a_generator_draws_the_class_that_is_asked_for_as_often_as_asked(client):
    model = client.model("tiny-generator")
    pictures = model.predict(label="square", seed=3, n=2)
    assert [picture.size for picture in pictures] == [(8, 8), (8, 8)]
    again = model.predict(label=[1, "square"], seed=3)
    assert [np.asarray(picture).tolist() for picture in again] == [np.asarray(picture).tolist() for picture in pictures]
    assert len(model.predict(label=[0, 1], latent=np.zeros((2, 4)))) == 2
    assert len(model.predict(n=3)) == 3


def test_a_translated_picture_comes_back_as_a_picture(client):
    (picture,) = client.model("tiny-translator").predict({"image": png(1)})
    assert (np.asarray(picture) == tiny_bundles.picture(1)[0]).all()


def test_what_does_not_fit_the_signature_is_refused_before_anything_is_sent(client, seen):
    classifier, generator = client.model("tiny-classifier"), client.model("tiny-generator")
    wrong = [
        (classifier, {"imag": b""}, "no input 'imag'. Did you mean 'image'?"),
        (classifier, {}, "needs the input 'image'"),
        (classifier, {"image": b"GIF89a"}, "must be a PNG, JPEG or WEBP file"),
        (classifier, {"image": "missing.png"}, "cannot be used"),
        (classifier, {"image": Image.new("CMYK", (8, 8))}, "cannot be used"),
        (classifier, {"image": np.zeros((1, 9, 9), np.uint8)}, r"must have the shape \(N, 1, 8, 8\)"),
        (classifier, {"image": np.zeros((1, 8, 8))}, "must be uint8"),
        (classifier, {"image": []}, "takes 1 to 4 rows"),
        (classifier, {"image": [png(0)] * 5}, "takes 1 to 4 rows"),
        (classifier, {"image": png(0) + bytes(10_000)}, "takes 10,000 bytes"),
        (classifier, {"image": png(0), "seed": 1}, "none is left out"),
        (generator, {"label": "sqare"}, "Did you mean 'square'?"),
        (generator, {"label": 3}, "must be at most 2"),
        (generator, {"label": ["square", "circle"], "n": 3}, "the same number of rows"),
        (generator, {"label": 1, "latent": np.zeros((1, 5))}, r"must have the shape \(N, 4\)"),
    ]
    for model, inputs, message in wrong:
        with pytest.raises(UserError, match=message):
            model.predict(**inputs)
    assert seen == []


def test_a_refusal_names_its_code_and_the_request(client, url):
    with pytest.raises(ServiceError, match=r"\. \(404 \w+, request \w+\)") as caught:
        client.model("other")
    assert caught.value.status == 404
    assert caught.value.request_id
    with Client(url) as stranger, pytest.raises(ServiceError) as caught:
        stranger.models()
    assert caught.value.status == 401


def test_a_busy_service_is_asked_again_until_it_answers(client, app, monkeypatch):
    waits = []
    monkeypatch.setattr(clients.time, "sleep", waits.append)
    app.refusals += [refusal(429, "busy", Retry_After="2"), refusal(503, "stopping"), refusal(503, "stopping")]
    assert client.models()
    assert 2 <= waits[0] <= 3
    assert 0.2 <= waits[1] <= 0.3
    assert 0.4 <= waits[2] <= 0.6


def test_nothing_is_asked_again_beyond_the_deadline_or_after_another_error(client, app):
    for status, code, after in ((429, "busy", "60"), (500, "internal", "0"), (504, "too_late", "0")):
        app.refusals += [refusal(status, code, Retry_After=after)]
        with pytest.raises(ServiceError, match=code):
            client.models()
        assert app.refusals == []


def test_a_service_that_is_not_there_or_silent_or_another_is_told_apart(url):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Client(address, timeout=0.2) as client, pytest.raises(ServiceError, match=r"within 0\.2 s"):
            client.models()
    with Client(address, timeout=2) as client, pytest.raises(ServiceError, match="no answer unreachable"):
        client.models()
    for status, reason in ((502, "502 Bad Gateway"), (200, "200 OK")):
        other = httpx2.MockTransport(lambda request, status=status: httpx2.Response(status, text="<html>"))
        with Client("http://proxy", transport=other) as client, pytest.raises(ServiceError, match=f"answered {reason}"):
            client.models()


def test_the_client_for_asyncio_does_the_same(url, app):
    async def use() -> list[str]:
        async with AsyncClient(url, api_key=KEY) as client:
            app.refusals += [refusal(429, "busy", Retry_After="0")]
            assert "tiny-classifier" in await client.models()
            model = await client.model("tiny-classifier")
            answers = await asyncio.gather(*(model.predict(image=png(label)) for label in (0, 1, 2)))
            with pytest.raises(ServiceError, match="404"):
                await client.model("other")
            return [answer[0].label for answer in answers]

    assert asyncio.run(use()) == list(CLASSES)


def test_the_client_imports_neither_torch_nor_a_server():
    check = "import sys, torchworks.serving.client; print({'torch', 'fastapi', 'onnxruntime'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True).stdout == "set()\n"


USES = {
    "tiny-classifier": ("TinyClassifier", "image=png", "row.label == 'circle'"),
    "tiny-findings": ("TinyFindings", "image=[png, png]", "row.above(0.9) == ['circle']"),
    "tiny-generator": ("TinyGenerator", "label='square', n=2, seed=1", "row.size == (8, 8)"),
    "tiny-translator": ("TinyTranslator", "image=png", "row.size == (8, 8)"),
}


def test_modules_written_for_single_models_run_and_their_types_hold(bundles, url, tmp_path):
    lines = [
        "from torchworks.serving.client import Client",
        f"png, client = {png(0)!r}, Client({url!r}, api_key={KEY!r})",
    ]
    for number, (name, (module, inputs, promise)) in enumerate(USES.items()):
        (tmp_path / f"written{number}.py").write_text(stub(bundles[name].manifest))
        lines += [
            f"from written{number} import {module}",
            f"for row in {module}.at(client).predict({inputs}):",
            f"    assert {promise}",
        ]
    (tmp_path / "use.py").write_text("\n".join([*lines, "client.close()"]))
    python, ty = [sys.executable, "-W", "error", "use.py"], Path(sys.executable).parent / "ty"
    checked = [[ty, "check", "--python", sys.executable, "."]] if ty.is_file() else []
    for command in (python, *checked):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_module_for_a_model_with_odd_names_is_still_python(bundles):
    manifest = to_dict(bundles["tiny-generator"].manifest)
    manifest["name"] = "3d.net-2"
    manifest["signature"]["inputs"][1] |= {"name": "class", "labels": ["it's", 'a "quote"\n', "\\"]}
    written = stub(from_dict(BundleManifest, manifest))
    names: dict = {}
    exec(written, names)
    assert names["Class_Class"].__args__ == ("it's", 'a "quote"\n', "\\")
    assert "class_" in names["Model3dNet2"].predict.__annotations__
