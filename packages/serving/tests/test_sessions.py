"""Recurrent models answer piece by piece, as if they had got all pieces at once; sessions end and are forgotten."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parent))

import sound_bundles

from torchworks.serving.app import create_app
from torchworks.serving.client import Client, ServiceError
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.serving.sessions import SessionLimits, Sessions

BEGIN = "/v1/models/adder/sessions"


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[TestClient]:
    settings, folder = Settings(), tmp_path_factory.mktemp("sessions")
    registry = Registry(settings)
    for name in ("adder", "closer", "marker"):
        registry.add(ServedModel.load(sound_bundles.write(name, folder / name), settings))
    with TestClient(create_app(registry, settings)) as client:
        yield client


def send(service, address: str, *values: float) -> dict:
    answer = service.post(address, json={"inputs": {"value": [list(values)]}})
    assert answer.is_success, answer.text
    return answer.json()


def total(answer: dict) -> float:
    return answer["outputs"]["sum"][0]["sum so far"]


def test_each_piece_is_answered_with_what_came_before_in_its_own_session(service):
    begun = service.post(BEGIN)
    assert begun.status_code == 201
    first, second = begun.json()["links"]["pieces"], service.post(BEGIN).json()["links"]["pieces"]
    assert [total(send(service, first, value)) for value in (1, 10, 100)] == [1, 11, 111]
    assert total(send(service, second, 5, 6)) == 11
    assert service.post("/v1/models/adder/versions/champion/sessions").json()["version"] == begun.json()["version"]
    answer = send(service, first, 1000)
    assert (total(answer), answer["piece"], answer["model"]) == (1111, 4, "adder")
    assert answer["outputs"].keys() == {"sum"}  # what it remembers stays here
    assert service.get(first).json()["pieces"] == 4
    assert service.delete(first).json()["pieces"] == 4
    assert service.post(first, json={"inputs": {"value": [[1]]}}).json()["error"]["code"] == "no_such_session"


def test_callers_may_keep_what_the_model_remembers_themselves(service):
    remembered: dict = {}
    for value, expected in ((1, 1), (10, 11), (100, 111)):
        answer = service.post(
            "/v1/models/adder/predict?states=true", json={"inputs": {"value": [[value]], **remembered}}
        ).json()
        assert total(answer) == expected
        remembered = {"total": answer["outputs"]["next_total"]}


def test_a_model_is_told_that_more_pieces_follow_unless_the_request_says_otherwise(service):
    address = service.post("/v1/models/closer/sessions").json()["links"]["pieces"]
    assert send(service, address, 7)["outputs"]["told"] == [1]
    last = service.post(address, json={"inputs": {"value": [[1]], "more": 0}}).json()
    assert last["outputs"]["told"] == [0]
    whole = service.post("/v1/models/closer/predict", json={"inputs": {"value": [[1]]}}).json()
    assert whole["outputs"]["told"] == [0]


def test_a_piece_that_is_refused_changes_nothing(service):
    address = service.post(BEGIN).json()["links"]["pieces"]
    send(service, address, 7)
    for body, said in (
        ({"value": [[1], [2]]}, "A piece is one row"),
        ({"value": [["x"]]}, "float32"),
        ({"value": [[1]], "total": [[5]]}, "leave it out"),
    ):
        refused = service.post(address, json={"inputs": body})
        assert refused.status_code == 422
        assert said in refused.json()["error"]["message"]
    assert total(send(service, address, 1)) == 8


def test_a_model_that_remembers_nothing_has_no_sessions(service):
    refused = service.post("/v1/models/marker/sessions")
    assert refused.status_code == 422
    assert "remembers nothing" in refused.json()["error"]["message"]
    assert service.post("/v1/models/nobody/sessions").status_code == 404


def test_sessions_are_forgotten_and_limited():
    served = type("Served", (), {"name": "adder", "version": "1", "signature": sound_bundles.adder().signature})()
    sessions = Sessions(SessionLimits(kept=2, keep_seconds=0.05))
    first = sessions.begin(served)
    sessions.begin(served)
    with pytest.raises(Exception, match="Too many sessions"):
        sessions.begin(served)
    time.sleep(0.06)
    with pytest.raises(Exception, match="no longer kept"):
        sessions.get(first.id)
    sessions.begin(served)


def test_the_client_sends_pieces_and_ends_the_session(service):
    with Client("http://testserver", transport=service._transport) as client:
        with client.model("adder").session() as session:
            rows = [session.send(value=[[value]])[0] for value in (1, 10, 100)]
        assert [row["sum so far"] for row in rows] == [1, 11, 111]
        with pytest.raises(ServiceError, match="no longer kept"):
            session.send(value=[[1]])


def test_examples_and_the_description_know_of_it(service):
    example = service.get("/v1/models/adder").json()["examples"][0]
    assert example["inputs"].keys() == {"value"}
    paths = service.get("/openapi.json").json()["paths"]
    assert {BEGIN, "/v1/sessions/{session}"} <= paths.keys()
    assert "/v1/models/marker/sessions" not in paths
