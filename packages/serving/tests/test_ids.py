"""Users and items are asked for by what the caller calls them, and answered so, with their titles."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parent))

import text_bundles

from torchworks.serving.app import create_app
from torchworks.serving.client import Client, Ranked
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[TestClient]:
    settings = Settings()
    registry = Registry(settings)
    folder = text_bundles.write("shop", tmp_path_factory.mktemp("ids") / "shop")
    registry.add(ServedModel.load(folder, settings))
    with TestClient(create_app(registry, settings)) as client:
        yield client


@pytest.fixture
def ask(service) -> Callable:
    """The rows of items for inputs, or the status and sentence of the refusal."""

    def send(inputs: object):
        answer = service.post("/v1/models/shop/predict", json={"inputs": inputs})
        return (
            answer.json()["outputs"]["item"]
            if answer.is_success
            else (answer.status_code, answer.json()["error"]["message"])
        )

    return send


def tokens(rows: list) -> list[list[str]]:
    return [[each["label"] for each in row] for row in rows]


def test_items_are_answered_by_token_and_title(ask):
    (row,) = ask({"user": "ann"})
    assert row[0] == {"label": "7", "score": 0.5, "title": "Seven (1995)"}
    assert len(row) == 2  # k is 2 if nothing is said


def test_a_whole_number_is_a_token_and_not_a_place(ask):
    assert ask({"user": 12}) == ask({"user": "12"})
    assert tokens(ask({"items": [7]}))[0][0] == "7"


def test_rows_have_as_many_items_as_they_like(ask):
    rows = ask({"items": [["C"], ["D", "D", "C"], []], "k": [1, 2, 1]})
    assert tokens(rows)[:2] == [["C"], ["D", "C"]]
    assert len(rows) == 3
    assert tokens(ask({"items": ["C", "D"], "k": 1})) == [["C"]]  # one row


def test_nothing_at_all_is_a_request_too(ask):
    assert len(ask({})) == 1
    assert len(ask({"items": []})) == 1
    assert len(ask({"user": None})) == 1


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"user": "bob"}, "'user' names 'bob', which the model does not know"),
        ({"user": "an"}, "Did you mean 'ann'?"),
        ({"user": ""}, "names ''"),
        ({"user": 0}, "names '0'"),
        ({"user": -1}, "names '-1'"),
        ({"user": 1.5}, "strings, or whole numbers"),
        ({"user": True}, "strings, or whole numbers"),
        ({"user": [["ann"]]}, "strings, or whole numbers"),
        ({"user": {"ann": 1}}, "strings, or whole numbers"),
        ({"items": ["C", "x" * 5000]}, "x…'"),
        ({"items": [["C"], "D"]}, "strings, or whole numbers"),
        ({"items": [[["C"]]]}, "strings, or whole numbers"),
        ({"items": ["C"] * 7}, "has 7 values, but T may be 6 at most"),
        ({"items": ["C"], "k": 6}, "must be at most 5"),
        ({"items": ["C"], "k": 0}, "must be at least 1"),
        ({"user": ["ann", "12"], "items": [["C"], ["D"], ["C"]]}, "N"),
    ],
)
def test_what_is_wrong_is_refused_by_name(ask, inputs, said):
    status, message = ask(inputs)
    assert status == 422
    assert said in message


def test_too_many_rows_are_refused(ask):
    assert ask({"user": ["ann"] * 65})[0] == 413


def test_a_form_takes_tokens_and_lists(service):
    answer = service.post("/v1/models/shop/predict", files=[("user", (None, "12")), ("items", (None, '["C", "D"]'))])
    assert answer.json()["outputs"]["item"][0][0]["score"] == 1


def test_the_page_of_the_model_has_an_example_that_is_answered(service, ask):
    card = service.get("/v1/models/shop").json()
    assert card["examples"][0]["inputs"]["user"] == ["ann"]
    assert ask(card["examples"][0]["inputs"])


def test_the_schema_describes_what_is_taken(service):
    document = service.get("/openapi.json").json()
    path = next(path for path in document["paths"] if path.endswith("/models/shop/predict"))
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({**schema, "components": document.get("components", {})})
    for inputs in ({"user": "ann"}, {"user": 12, "items": [["C"], []]}, {"items": "C"}, {}):
        assert validator.is_valid({"inputs": inputs}), inputs
    assert not validator.is_valid({"inputs": {"items": ["C"] * 7}})


def test_the_client_gives_items_with_titles(service):
    client = Client("http://testserver", transport=service._transport)
    (row,) = client.model("shop").predict(user="ann", items=[["C", "C"]])
    assert row[0] == Ranked("C", 2.0, "Sea")
