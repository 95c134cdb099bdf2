"""The service describes itself: addresses, types and examples come from the models that it serves."""

import re
import sys
from pathlib import Path

import jsonschema_rs
import pytest

sys.path.insert(0, str(Path(__file__).parent))

import generator_bundles

from torchworks.serving.limits import Settings
from torchworks.serving.served import ServedModel

MODELS = ("classifier", "findings", "generator", "translator", "sqrt")


@pytest.fixture
def client(serving):
    return serving(*MODELS)


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json()


def test_each_model_has_its_own_addresses(document):
    for model in MODELS:
        assert set(document["paths"][f"/v1/models/{model}/predict"]) == {"post"}
        assert set(document["paths"][f"/v2/models/{model}/infer"]) == {"post"}


@pytest.mark.parametrize("model", MODELS)
def test_every_example_is_answered_and_fits_its_own_description(client, document, model):
    predict = document["paths"][f"/v1/models/{model}/predict"]["post"]
    body = predict["requestBody"]["content"]["application/json"]
    answer = predict["responses"]["200"]["content"]["application/json"]["schema"]
    for example in body["examples"].values():
        jsonschema_rs.validate(body["schema"], example["value"])
        response = client.post(f"/v1/models/{model}/predict", json=example["value"])
        assert response.status_code == 200, response.json()
        jsonschema_rs.validate(answer, response.json())
    infer = document["paths"][f"/v2/models/{model}/infer"]["post"]["requestBody"]["content"]["application/json"]
    jsonschema_rs.validate(infer["schema"], infer["example"])
    assert client.post(f"/v2/models/{model}/infer", json=infer["example"]).status_code == 200


def test_the_golden_example_stands_in_the_document_with_its_answer(client):
    example = client.get("/v1/models/classifier").json()["examples"][0]
    answer = client.post("/v1/models/classifier/predict", json=example).json()
    served = client.app.service.registry.choose("classifier")
    _, golden = served.bundle.golden()
    found = list(answer["outputs"]["probability"][0]["probabilities"].values())
    assert found == pytest.approx(golden["probability"][0].tolist(), abs=1e-5)


def test_only_what_a_model_takes_is_offered(document):
    content = {
        model: set(document["paths"][f"/v1/models/{model}/predict"]["post"]["requestBody"]["content"])
        for model in MODELS
    }
    assert content["sqrt"] == content["generator"] == {"application/json"}
    assert content["classifier"] >= {"application/json", "multipart/form-data", "image/png"}


def test_every_operation_says_how_it_refuses(document):
    for path in document["paths"].values():
        for operation in path.values():
            assert {"400", "404", "413", "429", "503"} <= set(operation["responses"])


def test_the_document_follows_the_models(client):
    before = client.get("/openapi.json").json()["paths"]

    async def unload():
        client.app.service.registry.unload("sqrt", "v1")

    client.portal.call(unload)
    after = client.get("/openapi.json").json()["paths"]
    addresses = {f"/v1/models/sqrt/{verb}" for verb in ("predict", "jobs", "stream")}
    assert set(before) - set(after) == addresses | {"/v2/models/sqrt/infer"}


def test_the_page_needs_nothing_from_elsewhere(client):
    page = client.get("/docs").text
    assert "curl" in page
    assert "/v1/models/classifier/predict" in page
    assert re.findall(r"(?:src|href)=\"(.*?)\"", page.replace("data:,", "")) == [
        "", "dashboard/style.css", "dashboard/docs.css", "dashboard/docs.js", "dashboard/", "openapi.json",
    ]  # fmt: skip
    for outside in ("@import", "//cdn", "https://"):
        assert outside not in page


def test_administration_is_not_described_where_it_is_not_offered(document):
    assert not [path for path in document["paths"] if path.startswith("/admin")]


def test_a_method_that_an_address_does_not_take_is_answered_by_all_that_it_takes(client):
    assert client.put("/v1/jobs/x").headers["Allow"] == "GET, HEAD, DELETE"
    assert client.get("/v1/models/sqrt/predict").headers["Allow"] == "POST"


def test_the_addresses_of_generation_are_described_for_models_that_generate(client, tmp_path):
    generator_bundles.write("grows", tmp_path / "grows")
    client.app.service.registry.add(ServedModel.load(tmp_path / "grows", Settings()))
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v1/models/grows/generate"]["post"]
    body = operation["requestBody"]["content"]["application/json"]
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema_rs.validate(body["schema"], body["example"])
    found = client.post("/v1/models/grows/generate", json=body["example"])
    assert found.status_code == 200
    jsonschema_rs.validate(answer, found.json())
    assert "/v1/models/sqrt/generate" not in document["paths"]
    for address in ("/v1/completions", "/v1/chat/completions"):
        operation = document["paths"][address]["post"]
        assert "model" in operation["requestBody"]["content"]["application/json"]["schema"]["required"]
        assert operation["responses"]["404"]["content"]["application/json"]["schema"]["$ref"].endswith("/OpenAIError")
