"""Texts, rows of different lengths, optional inputs and rankings, asked for over HTTP as anybody would."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

sys.path.insert(0, str(Path(__file__).parent))

import text_bundles

from torchworks.serving import binary
from torchworks.serving.app import create_app
from torchworks.serving.batching import size_class
from torchworks.serving.bundle import BUNDLE
from torchworks.serving.client import Client, Ranked
from torchworks.serving.latents import draw
from torchworks.serving.limits import Settings
from torchworks.serving.padding import Padding, elastic_sizes, padded_to
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError
from torchworks.shared.models.signature import Signature, TensorSpec
from torchworks.shared.text import ByteLevelBPE


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[TestClient]:
    """A service of all the models."""
    folder, settings = tmp_path_factory.mktemp("texts"), Settings()
    registry = Registry(settings)
    for name in text_bundles.TINY:
        registry.add(ServedModel.load(text_bundles.write(name, folder / name), settings))
    with TestClient(create_app(registry, settings)) as client:
        yield client


@pytest.fixture
def ask(service) -> Callable:
    """Outputs for inputs, or the sentence and status of the refusal."""

    def send(model: str, inputs: object, end: str = "predict", **options):
        answer = service.post(f"/v1/models/{model}/{end}", json={"inputs": inputs}, **options)
        return (
            answer.json()["outputs"] if answer.is_success else (answer.status_code, answer.json()["error"]["message"])
        )

    return send


def labels(outputs: dict) -> list[str]:
    return [row["label"] for row in outputs["mood"]]


# ---- texts ---------------------------------------------------------------------------------------------------


def test_a_text_that_was_cut_out_of_another_one_is_answered_without_the_space_before_it():
    tokenizer = ByteLevelBPE([])
    assert Padding.decoded(tokenizer, tokenizer.encode(" Oslo")) == "Oslo"


def test_an_answer_says_what_of_a_text_the_model_does_not_know(service):
    def warnings(text: object, end: str = "predict") -> object:
        answer = service.post(f"/v1/models/moods/{end}", json={"text": text})
        assert answer.is_success
        *_, last = answer.text.strip().split("data: ")
        return json.loads(last).get("warnings")

    says = "parts that the model has not seen in training and reads as unknown"
    assert warnings("acg") is None
    assert warnings("aéce世") == [f"'text' has {says}: 'é' (U+00E9), 'e' (U+0065), '世' (U+4E16)."]
    assert warnings(["acg", "x", "cx"]) == [f"'text' has, in row 2, 3, {says}: 'x' (U+0078)."]
    assert warnings(["acg", "x"], "stream") == [f"'text' has, in row 2, {says}: 'x' (U+0078)."]
    assert "and 6 more" in warnings([chr(i) * 3 for i in range(ord("A"), ord("A") + 16)])[0]
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["ax"]}
    answer = service.post("/v2/models/moods/infer", json={"inputs": [tensor]}).json()
    assert answer["parameters"] == {"warnings": f"'text' has {says}: 'x' (U+0078)."}


def test_a_text_or_several_of_any_length_are_answered_in_their_order(ask):
    assert labels(ask("moods", {"text": "ggga"})) == ["glad"]
    answer = ask("moods", {"text": ["a", "cccag", "gg"]})
    assert labels(answer) == ["angry", "calm", "glad"]
    assert answer["said"] == ["a", "cccag", "gg"]
    for text, row in zip(("a", "cccag", "gg"), answer["mood"], strict=True):
        alone = ask("moods", {"text": text})["mood"][0]
        assert alone["probabilities"] == pytest.approx(row["probabilities"], abs=1e-6)


def test_a_body_of_the_text_alone_will_do(service):
    for body, wanted in (({"text": "aag"}, ["angry"]), ({"text": ["gg", "c"]}, ["glad", "calm"])):
        answer = service.post("/v1/models/moods/predict", json=body)
        assert labels(answer.json()["outputs"]) == wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a" * 9, "Row 1 of 'text' has at least 9 tokens, but T may be 8 at most."),
        (["a", "g" * 10_000_000], "Row 2 of 'text' has at least 10000000 tokens, but T may be 8 at most."),
        (["a", ""], "Row 2 of 'text' is empty: it must have at least one token."),
        (["a", 3], "Row 2 of 'text' must be a text."),
        (7, "'text' must be a text, or a list of texts."),
        ([[2, 3], [9, 9, True]], "'text' must be nested lists of int64 values."),
    ],
)
def test_what_is_no_text_or_too_long_is_said_with_its_row(ask, text, sentence):
    assert ask("moods", {"text": text}) == (422, sentence)


def test_too_many_texts_are_refused_before_they_are_read(ask):
    assert ask("moods", {"text": ["a"] * 65})[0] == 413


def test_ids_may_be_sent_instead_and_then_lengths_are_those_of_the_rows(ask):
    answer = ask("moods", {"text": [[4], [2, 2, 3]]})
    assert labels(answer) == ["glad", "angry"]
    assert labels(ask("moods", {"text": [[4, 0], [2, 2]], "length": [1, 2]})) == ["glad", "angry"]


def test_the_protocol_takes_texts_as_bytes(service):
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES"}
    body = {"inputs": [tensor | {"data": ["gga", "c"]}]}
    outputs = service.post("/v2/models/moods/infer", json=body).json()["outputs"]
    assert outputs[1]["data"] == [4, 4, 2, 3, 0, 0]
    parts = b"".join(len(text).to_bytes(4, "little") + text for text in (b"gga", b"c"))
    head = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": len(parts)}}]}).encode()
    headers = {binary.HEADER: str(len(head)), "Content-Type": binary.CONTENT_TYPE}
    same = service.post("/v2/models/moods/infer", content=head + parts, headers=headers)
    assert same.json()["outputs"] == outputs


def test_jobs_and_streams_take_texts_and_answer_each_without_its_padding(service, ask):
    texts = [("acg" * 3)[i % 3 : i % 3 + 1 + i % 8] for i in range(40)]
    links = service.post("/v1/models/moods/jobs", json={"text": texts}).json()["links"]
    service.get(links["events"])
    assert service.get(links["result"]).json()["outputs"]["said"] == texts
    lines = service.post("/v1/models/moods/stream", json={"text": texts}).text.splitlines()
    parts = [json.loads(line.removeprefix("data: ")) for line in lines if line]
    assert [text for part in parts[:-1] for text in part["outputs"]["said"]] == texts


def test_the_client_sends_texts_and_ragged_rows(service):
    client = Client("http://testserver", transport=service._transport)
    assert [row["mood"].label for row in client.model("moods").predict(text=["aa", "ggggc"])] == ["angry", "glad"]
    assert client.model("moods").predict(text="cca")[0]["said"] == "cca"
    assert client.model("ids").predict(tokens=[[2], [4, 4, 3]])[1]["mood"].label == "glad"
    assert client.model("ranker").predict(user=[[1, 2, 4, 3]])[0] == [Ranked("mat", 4.0), Ranked("rat", 3.0)]
    assert client.model("ranker").predict(user=[[1, 2, 4, 3]], boost=2)[0][0] == Ranked("mat", 8.0)


def test_a_bundle_without_its_tokenizer_is_not_served(tmp_path):
    folder = text_bundles.write("moods", tmp_path / "moods")
    manifest = json.loads((folder / BUNDLE).read_text())
    for preprocessing, named in (
        ({}, "names no file of a tokenizer"),
        ({"text": {"tokenizer": "t.json"}}, r"names the tokenizer t\.json"),
    ):
        (folder / BUNDLE).write_text(json.dumps(manifest | {"preprocessing": preprocessing}))
        with pytest.raises(UserError, match=named):
            ServedModel.load(folder, Settings())


# ---- rows of different lengths -------------------------------------------------------------------------------


def test_rows_of_numbers_may_differ_in_length_where_the_signature_has_a_pad(ask):
    answer = ask("ids", {"tokens": [[2, 2], [4, 4, 4, 3], [3]]})
    assert labels(answer) == ["angry", "glad", "calm"]
    assert answer["said"] == [[2, 2], [4, 4, 4, 3], [3]]
    assert ask("ids", {"tokens": [[2], "ag"]}) == (422, "'tokens' takes numbers, but row 2 is a text.")
    assert ask("ids", {"tokens": [[2] * 9]})[1] == "Row 1 of 'tokens' has 9 tokens, but T may be 8 at most."


def test_requests_of_different_lengths_meet_in_a_batch_and_get_their_own(tmp_path):
    served = ServedModel.load(text_bundles.write("ids", tmp_path / "ids"), Settings())
    computer, batcher = served.batcher._computer, served.batcher
    batcher.close()
    requests = [[[2, 2, 4]], [[4], [3]], [[3, 3, 3, 3, 2]]]
    tickets = [batcher._ticket(served.codec.from_values({"tokens": rows}), 0, None) for rows in requests]
    assert tickets[0].goes_with(tickets[1])
    assert tickets[1].goes_with(tickets[2])
    outcomes = computer.outcomes(tickets)
    assert [outcome.outputs["said"].tolist() for outcome in outcomes] == requests
    alone = [computer.outcomes([ticket])[0] for ticket in tickets]
    for together, single in zip(outcomes, alone, strict=True):
        np.testing.assert_allclose(together.outputs["mood"], single.outputs["mood"], atol=1e-6)


def test_padding_at_most_doubles_a_row_of_a_batch():
    assert len({size_class(size) for size in range(1, 17)}) == 1
    for size in range(17, 3000):
        assert size <= size_class(size) < 2 * size
    assert padded_to(np.ones((1, 2)), 3, -1).tolist() == [[1, 1, -1]]


def test_only_sizes_that_nothing_else_has_are_padded():
    tokens = TensorSpec("tokens", "tokens", "int64", ("N", "T"), pad=0)
    output = TensorSpec("y", "features", "float32", ("N",))
    assert elastic_sizes(Signature((tokens,), (output,)), {"tokens": 0}) == {"T"}
    weights = TensorSpec("weights", "features", "float32", ("N", "T"))
    assert elastic_sizes(Signature((tokens, weights), (output,)), {"tokens": 0}) == set()


# ---- optional inputs, rankings, latents ----------------------------------------------------------------------


def test_an_input_with_a_default_may_be_left_out_or_given_once_for_all_rows(ask):
    users = [[1, 4, 2, 3], [9, 0, 0, 8]]
    assert [row[0]["score"] for row in ask("ranker", {"user": users})["item"]] == [4, 9]
    assert [row[0]["score"] for row in ask("ranker", {"user": users, "boost": 2})["item"]] == [8, 18]
    assert [row[0]["score"] for row in ask("ranker", {"user": users, "boost": [2, 3]})["item"]] == [8, 27]
    assert "at least 0" in ask("ranker", {"user": users, "boost": -1})[1]


def test_the_protocol_may_leave_it_out_too(service):
    user = {"name": "user", "shape": [1, 4], "datatype": "FP32", "data": [1, 4, 2, 3]}
    outputs = service.post("/v2/models/ranker/infer", json={"inputs": [user]}).json()["outputs"]
    assert [output["data"] for output in outputs] == [[1, 3], [4, 3]]


def test_labels_and_scores_of_one_shape_are_answered_as_a_ranking(ask):
    answer = ask("ranker", {"user": [[1, 4, 2, 3]]})
    assert answer == {"item": [[{"label": "cat", "score": 4.0}, {"label": "rat", "score": 3.0}]]}


def test_whole_number_labels_are_answered_by_name_even_if_there_are_as_many_as_names(ask):
    assert ask("names", {"user": [[1, 4, 2, 3]]}) == {"item": [["cat", "rat", "mat", "hat"]]}


def test_latents_of_any_rank_are_drawn_by_seed(ask):
    drawn = ask("painter", {"seed": 3, "n": 2})["out"]
    wanted = draw(3, range(2), 16, uniform=False).reshape(2, 1, 4, 4)
    np.testing.assert_allclose(drawn, wanted, atol=1e-6)


# ---- inputs without rows in common ---------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["jobs", "stream"])
def test_what_has_no_rows_in_common_is_answered_whole_and_never_cut(service, ask, end):
    inputs = {"image": [[i, i] for i in range(20)], "caption": [[i, i, i] for i in range(39)]}
    answer = ask("towers", inputs)
    assert (len(answer["seen"]), len(answer["read"])) == (20, 39)
    assert answer["read"][38] == [-38, -38, -38]
    status, sentence = ask("towers", inputs, end)
    assert status == 422
    assert "have no rows in common: image (N, 2), caption (M, 3), seen (N, 2), read (M, 3)" in sentence
    assert f"/v1/models/towers/{end}" not in service.get("/openapi.json").json()["paths"]


# ---- what it tells of itself ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", text_bundles.TINY)
def test_the_description_fits_its_examples_and_what_is_answered(service, model):
    document = service.get("/openapi.json").json()
    operation = document["paths"][f"/v1/models/{model}/predict"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    answers = operation["responses"]["200"]["content"]["application/json"]["schema"]
    for example in content["examples"].values():
        Draft202012Validator(content["schema"]).validate(example["value"])
        answer = service.post(f"/v1/models/{model}/predict", json=example["value"])
        assert answer.status_code == 200, answer.text
        Draft202012Validator(answers).validate(answer.json())


def test_largest_sizes_defaults_and_texts_are_described(service):
    paths = service.get("/openapi.json").json()["paths"]

    def inputs(model: str) -> dict:
        schema = paths[f"/v1/models/{model}/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        return schema.get("anyOf", [schema])[0]["properties"]["inputs"]

    rows, row = inputs("ids")["properties"]["tokens"]["anyOf"]
    assert row["maxItems"] == rows["items"]["maxItems"] == text_bundles.LONGEST
    assert inputs("ranker")["required"] == ["user"]
    assert inputs("ranker")["properties"]["boost"]["default"] == 1.0
    assert inputs("moods")["required"] == ["text"]
    assert inputs("moods")["properties"]["text"]["anyOf"][0]["type"] == "string"
    assert service.get("/v1/models/ids").json()["signature"]["most"] == {"T": text_bundles.LONGEST}


def test_recent_answers_are_told_by_names(service, ask):
    ask("ranker", {"user": [[1, 4, 2, 3]]})
    service.app.service.monitor.flush()
    assert service.get("/v1/models/ranker/recent").json()["predictions"][0]["answer"] == "cat rat"
