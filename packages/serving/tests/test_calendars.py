"""Columns of the calendar are made of the time stamps, and what is known of the future may then be left out."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parent))

import sound_bundles

from torchworks.serving.app import create_app
from torchworks.serving.client import Client
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel

TABLE = "time,load\n" + "".join(f"2024-05-01T{hour}:30,{hour}\n" for hour in (18, 19, 20, 21))
PRICED = "time,load,price\n" + "".join(f"2024-05-01T{hour}:30,{hour},5\n" for hour in (18, 19, 20, 21))
AFTER = [f"2024-05-01T{hour}:30:00" for hour in (22, 23)] + ["2024-05-02T00:30:00"]
HOURS = [22.5, 23.5, 0.5]


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[TestClient]:
    settings, folder = Settings(), tmp_path_factory.mktemp("calendars")
    registry = Registry(settings)
    registry.add(ServedModel.load(sound_bundles.write("planner", folder / "planner"), settings))
    priced = sound_bundles.write_tiny(
        sound_bundles.planner(given=True), "priced", folder / "priced", sound_bundles.PLANS
    )
    registry.add(ServedModel.load(priced, settings))
    with TestClient(create_app(registry, settings)) as client:
        yield client


def asked(service, model: str, **inputs) -> dict:
    answer = service.post(f"/v1/models/{model}/predict", json={"inputs": inputs})
    assert answer.is_success, answer.text
    return answer.json()["outputs"]["seen"][0]


def refused(service, model: str, **inputs) -> str:
    answer = service.post(f"/v1/models/{model}/predict", json={"inputs": inputs})
    assert answer.status_code == 422, answer.text
    return answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "series",
    [
        TABLE,
        TABLE.split("\n", 1)[1],
        TABLE.replace("load", "sales"),
        {"time": [f"2024-05-01T{hour}:30" for hour in (18, 19, 20, 21)], "load": [1, 2, 3, 4]},
        "time,hour_of_day,load\n" + "".join(f"2024-05-01T{hour}:30,{hour}.5,1\n" for hour in (18, 19, 20, 21)),
    ],
)
def test_time_stamps_and_values_are_enough(service, series):
    assert asked(service, "planner", series=series) == {"time": AFTER, "last": [21.5] * 3, "hour_of_day": HOURS}


def test_a_table_is_a_body_of_its_own_also_beside_what_can_be_made(service):
    answer = service.post("/v1/models/planner/predict", content=TABLE.encode(), headers={"Content-Type": "text/csv"})
    assert answer.json()["outputs"]["seen"][0]["hour_of_day"] == HOURS
    with Client("http://testserver", transport=service._transport) as client:
        assert client.model("planner").predict(series=TABLE.encode())[0]["hour_of_day"] == HOURS


def test_of_the_future_only_what_no_calendar_knows_is_sent(service):
    stamped = "time,price\n" + "".join(f"{time},{i}\n" for i, time in enumerate(AFTER, 7))
    for known in ([7, 8, 9], [[7], [8], [9]], "price\n7\n8\n9\n10\n", {"price": [7, 8, 9]}, stamped):
        found = asked(service, "priced", series=PRICED, known=known)
        assert found["price"] == [7, 8, 9]
        assert found["hour_of_day"] == HOURS


def test_what_cannot_be_made_is_asked_for(service):
    assert "hour_of_day is made of them" in refused(service, "planner", series=[1, 2, 3, 4])
    assert "lacks the column 'load'" in refused(service, "priced", series=TABLE.replace("load", "sales"))
    assert "'known' (series) is missing" in refused(service, "priced", series=PRICED)
    late = "time,price\n2024-05-02T01:30,1\n2024-05-02T02:30,1\n2024-05-02T03:30,1\n"
    assert "is followed by 2024-05-01 22:30:00" in refused(service, "priced", series=PRICED, known=late)
    assert "looks ahead at 3" in refused(service, "priced", series=PRICED, known=[1, 2])


def test_numbers_for_all_columns_are_taken_as_they_are(service):
    rows = [[1, 5], [2, 6], [3, 7], [4, 8]]
    found = asked(service, "planner", series=rows, known=[[1], [2], [3]])
    assert found == {"last": [8] * 3, "hour_of_day": [1, 2, 3]}


def test_examples_have_time_stamps_and_fit_the_description(service):
    paths = service.get("/openapi.json").json()
    for model in ("planner", "priced"):
        made = service.get(f"/v1/models/{model}").json()["examples"]
        assert made[0]["inputs"]["series"].startswith("time,load")
        assert ("known" in made[0]["inputs"]) == (model == "priced")
        for example in made:
            assert service.post(f"/v1/models/{model}/predict", json=example).is_success
            post = paths["paths"][f"/v1/models/{model}/predict"]["post"]
            schema = post["requestBody"]["content"]["application/json"]["schema"]
            Draft202012Validator(schema | {"components": paths.get("components", {})}).validate(example)
