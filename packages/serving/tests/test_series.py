"""Series are sent as tables or columns, with time stamps, and answered column by column with the stamps that follow."""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parent))

import sound_bundles

from torchworks.serving.app import create_app
from torchworks.serving.bundle import read_bundle
from torchworks.serving.client import Client, stub
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.monitoring.drift import features
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel

PREDICT = "/v1/models/repeater/predict"
TABLE = "time,load,degrees\n" + "".join(f"2024-05-01 2{hour}:00,{10 + hour},{hour}\n" for hour in range(4))
AHEAD = {"q0.1": 12.7, "q0.5": 13.0, "q0.9": 13.3}
"""Of the last row, 13 and 3."""


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[TestClient]:
    settings, folder = Settings(limits=Limits(series_steps=40)), tmp_path_factory.mktemp("series")
    registry = Registry(settings)
    for name in ("repeater", "marker"):
        registry.add(ServedModel.load(sound_bundles.write(name, folder / name), settings))
    with TestClient(create_app(registry, settings)) as client:
        yield client


def asked(service, series: object, model: str = "repeater", output: str = "forecast") -> list:
    answer = service.post(f"/v1/models/{model}/predict", json={"inputs": {"series": series}})
    assert answer.is_success, answer.text
    return answer.json()["outputs"][output]


def refused(service, series: object, model: str = "repeater") -> str:
    answer = service.post(f"/v1/models/{model}/predict", json={"inputs": {"series": series}})
    assert answer.status_code in (413, 422), answer.text
    return answer.json()["error"]["message"]


def check(row: dict, stamps: list[str] | None) -> None:
    assert row.get("time") == stamps
    for name, value in AHEAD.items():
        assert row[name] == pytest.approx([value] * 3, rel=1e-6)


def test_a_table_is_answered_with_the_stamps_that_follow(service):
    (row,) = asked(service, TABLE)
    check(row, ["2024-05-02T00:00:00", "2024-05-02T01:00:00", "2024-05-02T02:00:00"])


@pytest.mark.parametrize(
    "table",
    [
        TABLE.replace("time,", "when,").replace("\n", "\r\n"),
        TABLE.replace(",", ";"),
        TABLE.replace(",", "\t"),
        "\ufeff" + TABLE,
        base64.b64encode(TABLE.encode()).decode(),
        "degrees,other,time,load\n" + "".join(f"{h},x,2024-05-01T2{h}:00,{10 + h}\n" for h in range(4)),
        TABLE.split("\n", 1)[1],  # without a heading
        TABLE.replace("\n", "\n\n"),
        TABLE.replace("time,load,degrees\n", "time,load,degrees\n2024-05-01 18:00,5,5\n2024-05-01 19:00,5,5\n"),
    ],
)
def test_tables_may_be_written_in_many_ways(service, table):
    check(asked(service, table)[0], ["2024-05-02T00:00:00", "2024-05-02T01:00:00", "2024-05-02T02:00:00"])


def test_columns_and_numbers_are_taken_too(service):
    columns = {"load": [10, 11, 12, 13], "degrees": [0, 1, 2, 3]}
    times = {"time": [f"2024-05-01T2{hour}:00+02:00" for hour in range(4)]}
    check(asked(service, columns)[0], None)
    check(asked(service, columns | times)[0], [f"2024-05-02T0{hour}:00:00+02:00" for hour in range(3)])
    rows = [[10, 0], [11, 1], [12, 2], [13, 3]]
    for given in (rows, [rows]):
        check(asked(service, given)[0], None)
    assert len(asked(service, [rows, TABLE, columns])) == 3
    answers = asked(service, [TABLE, columns])
    check(answers[0], ["2024-05-02T00:00:00", "2024-05-02T01:00:00", "2024-05-02T02:00:00"])
    check(answers[1], None)


def test_a_file_is_a_body_of_its_own_and_a_part_of_a_form(service):
    body = service.post(PREDICT, content=TABLE.encode(), headers={"Content-Type": "text/csv"})
    form = service.post(PREDICT, files={"series": ("load.csv", TABLE.encode(), "text/csv")})
    for answer in (body, form):
        check(answer.json()["outputs"]["forecast"][0], [f"2024-05-02T0{hour}:00:00" for hour in range(3)])


def test_a_series_of_one_column_may_have_any_name_and_any_length(service):
    for given in (
        "sales\n1\n2\n3\n",
        "day,sales\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3",
        [1, 2, 3],
        [[1], [2], [3]],
    ):
        (row,) = asked(service, given, "marker", "score")
        assert row["surprise"] == [2, 4, 6]
    rows = asked(service, ["1\n2\n", "1\n2\n3\n"], "marker", "score")
    assert [row["surprise"] for row in rows] == [[2, 4], [2, 4, 6]]


def test_an_answer_for_each_step_has_the_stamps_that_were_sent(service):
    table = "day,sales\n2024-01-31,1\n2024-02-29,2\n2024-03-31,3"
    (row,) = asked(service, table, "marker", "score")
    assert row == {"time": ["2024-01-31T00:00:00", "2024-02-29T00:00:00", "2024-03-31T00:00:00"], "surprise": [2, 4, 6]}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (TABLE.replace("21:00", "21:30"), "at step 2, after 2024-05-01 20:00:00 comes 2024-05-01 21:30:00"),
        (
            TABLE.replace("22:00", "21:00"),
            "at step 3, 2024-05-01 21:00:00 is repeated. The model was",
        ),
        (TABLE.replace("2024-05-01 2", "2024-05-2"), "with a step of PT1H"),
        (TABLE.replace("2024-05-01 22:00", "1.5.24 22 Uhr"), "'1.5.24 22 Uhr' in line 4, which is no time stamp"),
        (TABLE.replace(",12,", ",,"), "Line 4 of 'series' has no value for 'load': fill the gap first."),
        (TABLE.replace(",12,", ",12 MW,"), "Line 4 of 'series' has '12 MW' for 'load', which is no number."),
        (TABLE.replace(",12,", ",1e99,"), "not finite"),
        (TABLE.replace(",12,", ",nan,"), "not finite"),
        (TABLE.replace(",12,2", ",12"), "Line 4 of 'series' has 2 cells, and the first one 3."),
        (TABLE.replace("degrees", "degree"), "lacks the column 'degrees'. Did you mean 'degree'?"),
        (TABLE.replace("degrees", "load"), "has the column 'load' twice"),
        ("time,load,degrees\n", "has a heading and no rows"),
        ("\n\n", "is a table without a row"),
        ("1\n2\n3\n4\n", "has 1 column, and the model takes 2: load, degrees."),
        ("time,load,degrees\n2024-05-01 00:00,1,2\n", "has 1 step, and the model looks back at 4"),
        (TABLE + "".join("2024-05-02 00:00,1,1\n" for _ in range(50)), "has 54 steps, but 40 are the most"),
        ({"load": [1, 2], "degrees": [1]}, "must be equally long"),
        ({"load": [1, 2]}, "lacks the column 'degrees'"),
        ({"load": [1], "degrees": [1], "wind": [1]}, "has no column 'wind'"),
        ({"load": [1, None], "degrees": [1, 2]}, "must be a list of numbers"),
        ({"load": [1], "degrees": [1], "time": [5]}, "must be a list of time stamps"),
        ([[1, 2, 3]], "must have 2 numbers in step 1"),
        ([[1, "x"]], "must have 2 numbers in step 1"),
        ([[1, 2], [3, True]], "must have 2 numbers in step 2"),
        ([], "and not empty"),
        (5, "must be a table"),
        ([[[1, 2], [10**400, 2], [1, 1], [1, 1]]], "too large"),
    ],
)
def test_what_is_no_series_is_refused_with_the_reason(service, table, said):
    assert said in refused(service, table)


def test_series_of_different_lengths_go_apart_where_the_model_has_no_padding(tmp_path):
    settings = Settings()
    registry = Registry(settings)
    bundle = sound_bundles.write("repeater", tmp_path / "repeater", steps="T", every="")
    registry.add(ServedModel.load(bundle, settings))
    with TestClient(create_app(registry, settings)) as client:
        assert "same number of steps" in refused(client, [TABLE, TABLE + "2024-05-02 00:00,1,1\n"])
        (row,) = asked(client, TABLE)
        assert row["time"][0] == "2024-05-02T00:00:00"  # an hour later, as the stamps themselves say


def test_the_description_tells_of_tables_and_its_examples_work(service):
    schema = service.get("/openapi.json").json()
    posted = schema["paths"][PREDICT]["post"]
    body = posted["requestBody"]["content"]
    assert {"application/json", "text/csv", "multipart/form-data"} <= body.keys()
    validator = Draft202012Validator(body["application/json"]["schema"])
    for example in service.get("/v1/models/repeater").json()["examples"]:
        validator.validate(example)
        answer = service.post(PREDICT, json=example)
        assert answer.is_success
        Draft202012Validator(posted["responses"]["200"]["content"]["application/json"]["schema"]).validate(
            answer.json()
        )
    validator.validate({"inputs": {"series": [TABLE, {"load": [1.5], "degrees": [2], "time": ["2024-01-01"]}]}})
    assert service.get("/docs/repeater/series.csv").text.splitlines()[:2] == ["load,degrees", "10,1"]


def test_the_client_sends_tables_columns_and_arrays(service, tmp_path):
    (tmp_path / "load.csv").write_text(TABLE)
    columns = {"load": [10, 11, 12, 13], "degrees": [0, 1, 2, 3]}
    values = np.array([[[10, 0], [11, 1], [12, 2], [13, 3]]], np.float32)
    with Client("http://testserver", transport=service._transport) as client:
        for given in (tmp_path / "load.csv", TABLE.encode(), columns, values):
            (row,) = client.model("repeater").predict(series=given)
            assert row["q0.5"] == pytest.approx([13, 13, 13])


def test_what_is_watched_of_series_is_each_column():
    series = np.array([[[1, 10], [3, 10], [0, 0]]], np.float32)
    tiny = sound_bundles.repeater()
    watched = features(tiny.signature, {"series": series}, {"forecast": np.ones((1, 3, 3), np.float32)})
    found = {name.removeprefix("input.series."): values.tolist() for name, (values, _) in watched.items()}
    assert (found["length"], found["load.mean"], found["load.sd"], found["degrees.sd"]) == ([2], [2], [1], [0])


def test_the_stub_for_editors_is_right_python(tmp_path):
    source = stub(read_bundle(sound_bundles.write("repeater", tmp_path / "repeater")))
    assert "Prediction[dict[str, list]]" in source
    compile(source, "stub", "exec")
