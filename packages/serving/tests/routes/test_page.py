"""The page, jobs and streams, and what the service tells of itself, asked for as a browser and a program would."""

import base64
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from torchworks.serving.routes.dashboard import page_files

JOBS, STREAM = "/v1/models/generator/jobs", "/v1/models/generator/stream"


def events_of(text: str) -> list[dict]:
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line]


def pixels_of(encoded: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


# ---- jobs and streams --------------------------------------------------------------------------------------


def test_a_job_gives_the_images_that_a_request_would_and_more_than_it_may(serving):
    client = serving("generator", limits={"rows": 8})
    job = client.post(JOBS, json={"inputs": {"seed": 3, "n": 50}})
    assert job.status_code == 202
    links = job.json()["links"]
    seen = events_of(client.get(links["events"]).text)
    assert (seen[-1]["state"], seen[-1]["done"]) == ("done", 50)
    images = client.get(links["result"]).json()["outputs"]["image"]
    asked = client.post("/v1/models/generator/predict", json={"inputs": {"seed": 3, "n": 8}}).json()["outputs"]["image"]
    assert len(images) == 50
    assert images[:8] == asked


def test_the_images_of_a_job_come_in_one_picture(serving):
    client = serving("generator")
    links = client.post(JOBS, json={"inputs": {"n": 5, "label": "dog"}}).json()["links"]
    client.get(links["events"])
    answer = client.get(links["result"], headers={"Accept": "image/png"})
    sheet = np.asarray(Image.open(io.BytesIO(answer.content)))
    images = client.get(links["result"]).json()["outputs"]["image"]
    assert sheet.shape == (2 * 64 + 2, 3 * 64 + 2 * 2)  # 8 pixels enlarged to 64, two rows of three
    assert (sheet[:64:8, 66 : 66 + 64 : 8] == pixels_of(images[1])).all()


def test_a_job_that_is_over_can_be_forgotten_and_an_unknown_one_is_said_to_be(serving):
    client = serving("generator")
    links = client.post(JOBS, json={"inputs": {"n": 1}}).json()["links"]
    client.get(links["events"])
    assert client.delete(links["status"]).json()["state"] == "done"
    for address in links.values():
        assert client.get(address).json()["error"]["code"] == "no_such_job"


@pytest.mark.parametrize(
    ("inputs", "status"), [({"n": 5000}, 422), ({"n": 2, "label": "cow"}, 422), ({"seed": -1}, 422)]
)
def test_what_is_wrong_with_a_job_is_said_at_once(serving, inputs, status):
    assert serving("generator").post(JOBS, json={"inputs": inputs}).status_code == status


def test_a_stream_brings_all_rows_in_order(serving):
    client = serving("generator")
    *parts, end = events_of(client.post(STREAM, json={"inputs": {"seed": 1, "n": 40}}).text)
    assert [part["start"] for part in parts] == [0, 16, 32]
    assert end == {"rows": 40}
    whole = client.post("/v1/models/generator/predict", json={"inputs": {"seed": 1, "n": 40}}).json()["outputs"]
    assert [image for part in parts for image in part["outputs"]["image"]] == whole["image"]


# ---- what it tells of itself -------------------------------------------------------------------------------


def test_recent_predictions_their_times_and_what_failed_can_be_seen(serving, picture):
    client = serving("classifier")
    for body in (picture(), b"no picture"):
        client.post("/v1/models/classifier/predict", content=body, headers={"Content-Type": "image/png"})
    client.app.service.monitor.flush()
    refused, answered = client.get("/v1/models/classifier/recent").json()["predictions"]
    assert (answered["status"], refused["status"], answered["alias"]) == (200, 415, "champion")
    assert re.fullmatch(r"(cat|dog|owl) \(\d+ %\)", answered["answer"])
    live = client.get("/v1/models/classifier/live").json()
    assert live["budgets"]["errors"]["requests"] == 2
    assert len(live["seconds"]) == 59
    assert list(client.get("/v1/models/classifier/drift").json()) == ["v1"]
    assert b"serving_requests_total{" in client.get("/metrics").content


def test_nothing_is_told_of_a_model_that_is_not_served(serving):
    client = serving("classifier")
    for end in ("live", "recent", "drift"):
        assert client.get(f"/v1/models/nothing/{end}").json()["error"]["code"] == "no_such_model"


# ---- the page ----------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_from_elsewhere(serving):
    client = serving("classifier")
    page = client.get("/")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert {"index.html", "app.js", "style.css", "docs.css", "pad.js"} <= page_files().keys()
    for name in page_files():
        text = client.get(f"/dashboard/{name}").text
        assert set(re.findall(r"(?:https?:|@import|url\()\S*", text)) <= {'http://www.w3.org/2000/svg",'}, name


def test_the_page_is_shown_without_a_key_and_its_questions_are_not_answered(serving):
    client = serving("classifier", api_key="a-key-of-some-length")
    assert client.get("/dashboard/").status_code == client.get("/dashboard/app.js").status_code == 200
    assert client.get("/v1/models").status_code == client.get("/docs").status_code == 401


def test_how_to_ask_is_told_to_who_has_the_key_with_commands_that_send_one(serving):
    key = {"X-API-Key": "a-key-of-some-length"}
    page = serving("classifier", api_key=key["X-API-Key"]).get("/docs", headers=key).text
    commands = re.findall(r"<pre>(curl .*?)</pre>", page, re.DOTALL)
    assert len(commands) >= 3
    assert all(html.unescape(command).startswith('curl -H "X-API-Key: $(cat api-key)" -H ') for command in commands)
    assert key["X-API-Key"] not in page
    assert "X-API-Key" not in serving("classifier").get("/docs").text


@pytest.mark.parametrize("name", ["nothing.js", "__init__.py", "..%2Fapp.py", "%2e%2e/app.py"])
def test_only_the_files_of_the_page_are_given(serving, name):
    assert serving("classifier").get(f"/dashboard/{name}").status_code == 404
