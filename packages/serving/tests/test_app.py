"""The HTTP service: every way of asking gives the same answer, and whatever is wrong gets one clear sentence."""

import asyncio
import base64
import io
import json
import threading
import time

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

PREDICT = "/v1/models/classifier/predict"


def error_of(response, status: int, code: str) -> str:
    """The message of an error, after it was checked to be of the constant form."""
    body = response.json()
    assert response.status_code == status, body
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "request_id"}
    assert body["error"]["code"] == code
    assert body["error"]["request_id"] == response.headers["X-Request-ID"]
    return body["error"]["message"]


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


# ---- asking ------------------------------------------------------------------------------------------------


def test_a_picture_json_a_form_and_the_v2_protocol_give_the_same_answer(serving, picture):
    client = serving("classifier")
    png = picture()
    nested = pixels_of(png)[None, None].tolist()
    encoded = base64.b64encode(png).decode()
    tensor = {"name": "image", "shape": [1, 1, 8, 8], "datatype": "UINT8", "data": np.ravel(nested).tolist()}
    raw = client.post(PREDICT, content=png, headers={"Content-Type": "image/png"}).json()["outputs"]["probability"]
    assert set(raw[0]) == {"label", "probability", "probabilities"}
    for given in (nested, encoded, [encoded], f"data:image/png;base64,{encoded}"):
        answer = client.post(PREDICT, json={"inputs": {"image": given}}).json()
        assert answer["outputs"]["probability"] == raw
        assert (answer["model"], answer["version"]) == ("classifier", "v1")
    form = client.post(PREDICT, files={"image": ("a.png", png, "image/png")}).json()
    assert form["outputs"]["probability"] == raw
    v2 = client.post("/v2/models/classifier/infer", json={"id": "7", "inputs": [tensor]}).json()
    assert v2["outputs"][0]["data"] == list(raw[0]["probabilities"].values())
    assert (v2["id"], v2["outputs"][0]["shape"]) == ("7", [1, 3])
    file = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [encoded]}
    assert client.post("/v2/models/classifier/infer", json={"inputs": [file]}).json()["outputs"] == v2["outputs"]


def test_findings_are_named_with_their_probabilities(serving, picture):
    client = serving("findings")
    answer = client.post("/v1/models/findings/predict", files={"image": picture()}).json()
    assert set(answer["outputs"]["probability"][0]) == {"cat", "dog", "owl"}


def test_an_image_comes_back_as_base64_or_as_a_file(serving, picture):
    client = serving("translator")
    png = picture(mode="RGB")
    headers = {"Content-Type": "image/png"}
    answer = client.post("/v1/models/translator/predict", content=png, headers=headers).json()
    negative = pixels_of(base64.b64decode(answer["outputs"]["negative"][0]))
    np.testing.assert_array_equal(negative, 255 - pixels_of(png))
    file = client.post("/v1/models/translator/predict", content=png, headers=headers | {"Accept": "image/png"})
    assert file.headers["Content-Type"] == "image/png"
    np.testing.assert_array_equal(pixels_of(file.content), negative)


def test_a_generator_draws_from_a_seed_a_number_and_a_class(serving):
    client = serving("generator")

    def draw(**inputs):
        return client.post("/v1/models/generator/predict", json={"inputs": inputs}).json()["outputs"]["image"]

    assert len(draw(seed=1, n=5)) == 5
    assert draw(seed=1, n=5, label="dog")[:2] == draw(seed=1, n=2, label="dog"), "image i of a seed is the same image"
    assert draw(seed=1, n=2, label=["cat", "owl"]) == draw(seed=1, label=[0, 2])
    assert draw(seed=1, n=3) == draw(seed=1, n=3, label=["cat", "dog", "owl"]), "without a label: all in turn"
    assert draw(seed=1) != draw(seed=2)


def test_a_version_or_an_alias_may_be_asked_for(serving, picture):
    client = serving("classifier", "classifier-2")
    for version, answered in (("v1", "v1"), ("v2", "v2"), ("champion", "v1")):
        address = f"/v1/models/classifier/versions/{version}/predict"
        answer = client.post(address, content=picture(), headers={"Content-Type": "image/png"})
        assert answer.json()["version"] == answered
    error_of(client.post("/v1/models/classifier/versions/v9/predict"), 404, "no_such_version")


# ---- what is wrong -----------------------------------------------------------------------------------------


def test_unknown_addresses_methods_and_models_get_the_constant_body(serving):
    client = serving("classifier")
    error_of(client.get("/nothing"), 404, "not_found")
    response = client.get(PREDICT)
    error_of(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "POST"
    for name in ("none", "..%2f..%2fetc", "UPPER", "a" * 65):
        error_of(
            client.post(f"/v1/models/{name}/predict", json={}), 404, "no_such_model" if "%" not in name else "not_found"
        )


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_json"),
        (b"[" * 100_000, "application/json", 400, "bad_json"),
        (b'{"inputs": {"image": NaN}}', "application/json", 400, "bad_json"),
        (b"[]", "application/json", 422, "invalid"),
        (b'{"inputs": {}}', "application/json", 422, "invalid"),
        (b'{"inputs": {"image": [[1, 2], [3]]}}', "application/json", 422, "invalid"),
        (b'{"inputs": {"image": [[[[1.5]]]]}}', "application/json", 422, "invalid"),
        (b'{"inputs": {"image": "@@@"}}', "application/json", 422, "invalid"),
        (b'{"inputs": {"image": "aGVsbG8="}}', "application/json", 415, "wrong_type"),
        (b'{"inputs": {"imagf": 1}}', "application/json", 422, "invalid"),
        (b"hello", "image/png", 415, "wrong_type"),
        (b"hello", "image/gif", 415, "wrong_type"),
        (b"hello", "application/x-www-form-urlencoded", 415, "wrong_type"),
        (b"hello", "", 415, "wrong_type"),
        (b"hello", "multipart/form-data", 400, "bad_form"),
        (b"hello", "multipart/form-data; boundary=x", 400, "bad_form"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_without_an_echo(serving, content, kind, status, code):
    client = serving("classifier")
    response = client.post(PREDICT, content=content, headers={"Content-Type": kind})
    message = error_of(response, status, code)
    assert "hello" not in response.text
    assert message.endswith(".")


def test_cut_off_and_huge_pictures_and_films_are_refused(serving, picture):
    client = serving("classifier", limits={"image_pixels": 1000})
    headers = {"Content-Type": "image/png"}
    error_of(client.post(PREDICT, content=picture()[:60], headers=headers), 422, "bad_picture")
    error_of(client.post(PREDICT, content=picture(size=40), headers=headers), 413, "too_many_pixels")
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 255)]
    for form in ("PNG", "WEBP"):
        file = io.BytesIO()
        frames[0].save(file, form, save_all=True, append_images=frames[1:])
        error_of(client.post(PREDICT, content=file.getvalue(), headers=headers), 422, "too_many_frames")


def test_a_model_that_gives_nan_fails_only_that_request(serving, caplog):
    client = serving("sqrt")
    bad = client.post("/v1/models/sqrt/predict", json={"inputs": {"series": [[-1.0]]}})
    message = error_of(bad, 500, "model_failed")
    assert "NaN" not in message
    assert "not finite" in caplog.text
    good = client.post("/v1/models/sqrt/predict", json={"inputs": {"series": [[4.0]]}})
    assert good.json()["outputs"]["sqrt"] == [[2.0]]


def test_what_nobody_expected_is_in_the_log_and_not_in_the_answer(serving, picture, caplog, monkeypatch):
    client = serving("classifier")
    monkeypatch.setattr(client.app.service.registry, "choose", lambda *_: 1 / 0)
    response = client.post(PREDICT, content=picture(), headers={"Content-Type": "image/png"})
    message = error_of(response, 500, "internal")
    assert "division" not in message
    assert "ZeroDivisionError" in caplog.text
    assert response.headers["X-Request-ID"] in caplog.text


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_X", True), ("a b", False), ("x" * 65, False), ("<b>", False)])
def test_a_callers_request_id_is_kept_if_it_is_plain(serving, given, kept):
    response = serving("classifier").get("/v1/models", headers={"X-Request-ID": given})
    assert (response.headers["X-Request-ID"] == given) is kept


# ---- limits ------------------------------------------------------------------------------------------------


def test_bodies_beyond_the_limit_are_refused_announced_or_not(serving):
    client = serving("classifier", limits={"body_bytes": 1000})
    headers = {"Content-Type": "application/json"}
    error_of(client.post(PREDICT, content=b"x" * 1001, headers=headers), 413, "too_large")

    def chunks():
        for _ in range(100):
            yield b"x" * 100

    error_of(client.post(PREDICT, content=chunks(), headers=headers), 413, "too_large")
    error_of(client.post("/nothing", content=b"x" * 1001), 413, "too_large")


def test_too_many_rows_are_refused(serving, picture):
    client = serving("classifier", "generator", limits={"rows": 2})
    png = base64.b64encode(picture()).decode()
    error_of(client.post(PREDICT, json={"inputs": {"image": [png] * 3}}), 413, "too_many_rows")
    error_of(client.post("/v1/models/generator/predict", json={"inputs": {"n": 3}}), 422, "invalid")
    assert client.post(PREDICT, json={"inputs": {"image": [png] * 2}}).status_code == 200


def test_more_requests_at_a_time_than_allowed_are_told_to_come_again(serving):
    client = serving("classifier", limits={"concurrent": 0})
    response = client.get("/v1/models")
    error_of(response, 429, "busy")
    assert response.headers["Retry-After"] == "1"
    assert client.get("/livez").status_code == 200


def test_a_slow_model_gets_504_and_answers_others_later(serving, monkeypatch):
    client = serving("sqrt", limits={"deadline": 0.2})
    served = client.app.service.registry.choose("sqrt")
    engine = served.batcher._computer.run
    hold = threading.Event()
    monkeypatch.setattr(served.batcher._computer, "run", lambda inputs: hold.wait(10) and engine(inputs))
    error_of(client.post("/v1/models/sqrt/predict", json={"inputs": {"series": [[1]]}}), 504, "too_late")
    hold.set()
    while not served.batcher.idle:
        client.get("/livez")
    assert client.post("/v1/models/sqrt/predict", json={"inputs": {"series": [[1]]}}).status_code == 200


# ---- keys and health ---------------------------------------------------------------------------------------


def test_a_key_is_wanted_everywhere_but_for_health(serving):
    client = serving("classifier", api_key="a-long-enough-key")
    assert client.get("/v2").status_code == 401
    for address in ("/v1/models", "/openapi.json", "/docs", "/metrics", "/nothing"):
        response = client.get(address)
        error_of(response, 401, "no_key")
        assert response.headers["WWW-Authenticate"] == "Bearer"
    error_of(client.get("/v1/models", headers={"X-API-Key": "another"}), 401, "no_key")
    for headers in ({"X-API-Key": "a-long-enough-key"}, {"Authorization": "Bearer a-long-enough-key"}):
        assert client.get("/v1/models", headers=headers).status_code == 200
    assert client.get("/livez").json() == {"alive": True}
    assert client.get("/readyz").json() == {"ready": True}


def test_a_service_without_models_is_alive_but_not_ready(serving):
    client = serving()
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert client.get("/v2/health/ready").status_code == 503


def test_while_it_stops_new_requests_are_sent_elsewhere(serving):
    client = serving("classifier")
    client.app.service.draining = True
    error_of(client.get("/v1/models"), 503, "stopping")
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200


def test_a_thread_that_dies_is_noticed_and_replaced(serving, monkeypatch, caplog):
    client = serving("sqrt")
    batcher = client.app.service.registry.choose("sqrt").batcher
    engine, batcher.RESTART_SECONDS = batcher._computer.run, 0.3

    def die(_):
        raise SystemExit

    monkeypatch.setattr(batcher._computer, "run", die)
    ask = {"inputs": {"series": [[9]]}}
    error_of(client.post("/v1/models/sqrt/predict", json=ask), 503, "restarting")
    assert client.get("/readyz").status_code == 503
    monkeypatch.setattr(batcher._computer, "run", engine)
    end = time.monotonic() + 10
    while client.get("/readyz").status_code != 200 and time.monotonic() < end:
        time.sleep(0.02)
    assert client.post("/v1/models/sqrt/predict", json=ask).json()["outputs"]["sqrt"] == [[3.0]]
    assert "died" in caplog.text


def test_a_model_that_is_stuck_does_not_keep_the_service_from_stopping(serving):
    client = serving("sqrt", limits={"deadline": 0.1})
    batcher = client.app.service.registry.choose("sqrt").batcher
    hold = threading.Event()
    batcher._computer.run = lambda inputs: hold.wait(30)
    error_of(client.post("/v1/models/sqrt/predict", json={"inputs": {"series": [[1]]}}), 504, "too_late")
    client.portal.call(client.app.service.close)
    hold.set()


# ---- administration ----------------------------------------------------------------------------------------

TOKEN = {"X-Admin-Token": "a-long-enough-token"}


def test_administration_is_not_there_without_a_token(serving):
    error_of(serving("classifier").get("/admin/models", headers=TOKEN), 404, "not_found")


def test_administration_wants_the_token_and_this_machine(serving):
    client = serving("classifier", admin_token=TOKEN["X-Admin-Token"])
    error_of(client.get("/admin/models"), 401, "no_token")
    error_of(client.get("/admin/models", headers=TOKEN | {"X-Forwarded-For": "10.0.0.1"}), 403, "not_here")
    assert client.get("/admin/models", headers=TOKEN).json()["classifier"]["aliases"] == {"champion": "v1"}
    elsewhere = TestClient(client.app, client=("10.0.0.1", 1))
    error_of(elsewhere.get("/admin/models", headers=TOKEN), 403, "not_here")


def test_a_new_version_is_loaded_promoted_split_shadowed_and_unloaded(serving, picture):
    client = serving("classifier", admin_token=TOKEN["X-Admin-Token"])

    def admin(path, **body):
        return client.post(f"/admin/models{path}", json=body, headers=TOKEN)

    def version():
        return client.post(PREDICT, content=picture(), headers={"Content-Type": "image/png"}).json()["version"]

    for name in ("broken", "nothing"):
        error_of(admin("", bundle=name), *{"broken": (422, "bad_bundle"), "nothing": (404, "no_such_bundle")}[name])
    error_of(admin("", bundle="../classifier-2"), 422, "invalid")
    assert admin("", bundle="classifier-2").json()["versions"] == ["v1", "v2"]
    error_of(admin("", bundle="classifier-2"), 409, "conflict")
    assert version() == "v1"
    admin("/classifier/split", version="v2", share=1.0)
    assert version() == "v2"
    admin("/classifier/split", version=None)
    assert version() == "v1"
    assert admin("/classifier/promote", version="v2").json()["aliases"] == {"champion": "v2", "previous": "v1"}
    assert version() == "v2"
    assert admin("/classifier/rollback").json()["aliases"] == {"champion": "v1"}
    assert admin("/classifier/shadow", version="v2").json()["aliases"]["shadow"] == "v2"
    assert version() == "v1"
    error_of(client.delete("/admin/models/classifier/versions/v1", headers=TOKEN), 409, "conflict")
    gone = client.delete("/admin/models/classifier/versions/v2", headers=TOKEN)
    assert gone.json()["versions"] == ["v1"]


def test_models_are_listed_with_what_a_client_needs(serving):
    client = serving("classifier", "generator")
    assert [model["name"] for model in client.get("/v1/models").json()["models"]] == ["classifier", "generator"]
    model = client.get("/v1/models/classifier").json()
    assert model["signature"]["inputs"][0]["name"] == "image"
    assert model["labels"] == ["cat", "dog", "owl"]
    assert model["limits"]["rows"] == 64
    assert client.get("/v2/models/classifier").json()["inputs"] == [
        {"name": "image", "datatype": "UINT8", "shape": [-1, 1, 8, 8]}
    ]
    assert client.get("/v2/models/classifier/ready").json()["ready"]


class Recorder:
    """A monitor that keeps what it is told."""

    def __init__(self):
        self.predictions, self.watched = [], []

    def watch(self, name, manifest, reference):
        self.watched.append((name, manifest.version))

    def note(self, prediction):
        self.predictions.append(prediction)

    def metrics(self):
        return b"figures 1\n"

    def close(self): ...


def test_the_monitor_is_told_of_every_request_to_a_model(serving, picture):
    client = serving("classifier", "classifier-2")
    registry = client.app.service.registry
    client.app.service.monitor = recorder = Recorder()
    registry.mirror("classifier", "v2")
    client.post(PREDICT, content=picture(), headers={"Content-Type": "image/png", "X-Request-ID": "mine"})
    client.post(PREDICT, content=b"", headers={"Content-Type": "image/png"})
    while len(recorder.predictions) < 3:
        client.get("/livez")
    (first,) = [item for item in recorder.predictions if item.alias == "champion" and item.status == 200]
    (shadow,) = [item for item in recorder.predictions if item.alias == "shadow"]
    (refused,) = [item for item in recorder.predictions if item.status == 415]
    assert (first.request_id, first.rows, first.route, first.version) == ("mine", 1, "predict", "v1")
    assert set(first.seconds) == {"decode", "queue", "run", "encode", "total"}
    assert first.outputs["probability"].shape == (1, 3)
    assert (shadow.version, shadow.status, shadow.rows) == ("v2", 200, 1)
    assert refused.inputs == {}
    assert client.get("/metrics").content == b"figures 1\n"


def test_a_client_that_goes_away_takes_its_rows_out_of_the_queue(serving):
    client = serving("sqrt")
    app, service = client.app, client.app.service
    batcher = service.registry.choose("sqrt").batcher
    engine, hold = batcher._computer.run, threading.Event()
    computed = []

    def slow(inputs):
        hold.wait(10)
        computed.append(inputs["series"].tolist())
        return engine(inputs)

    batcher._computer.run = slow
    body = json.dumps({"inputs": {"series": [[7]]}}).encode()

    async def leave():
        """Ask, and go away while the model is busy with somebody else."""
        gone, sent = asyncio.Event(), []
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive():
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        path = "/v1/models/sqrt/predict"
        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(b"content-type", b"application/json")], "client": ("127.0.0.1", 1), "http_version": "1.1",
            "server": ("127.0.0.1", 80), "scheme": "http", "asgi": {"version": "3.0"}, "root_path": "",
        }  # fmt: skip
        first = asyncio.create_task(batcher.submit({"series": np.ones((1, 1), np.float32)}, time.monotonic() + 10))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asked = asyncio.create_task(app(scope, receive, send))
        while not batcher.queued_rows:
            await asyncio.sleep(0.01)
        gone.set()
        await asked
        assert batcher.queued_rows == 0
        hold.set()
        await first
        await batcher.drain()
        return sent

    assert asyncio.run(leave()) == []
    assert computed == [[[1.0]]]
