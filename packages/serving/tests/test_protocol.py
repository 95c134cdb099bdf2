"""The Open Inference Protocol as its clients use it: errors, ids, types of media, names of classes, best classes."""

import base64
import json
import struct

import numpy as np
import pytest

from torchworks.serving import binary
from torchworks.serving.routes.v2 import LONGEST_ID

INFER = "/v2/models/classifier/infer"
IMAGE = {"name": "image", "shape": [2, 1, 8, 8], "datatype": "UINT8", "data": [0] * 64 + [200] * 64}
DRAWN = np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32)
LATENT = {"name": "latent", "shape": [2, 16], "datatype": "FP32", "data": DRAWN.ravel().tolist()}


def label(**more):
    return {"name": "label", "shape": [2], "datatype": "BYTES", "data": ["owl", "cat"]} | more


# ---- errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("POST", "/v2/models/none/infer", {"json": {"inputs": []}}, 404),
        ("GET", "/v2/models/none", {}, 404),
        ("GET", "/v2/nothing", {}, 404),
        ("GET", INFER, {}, 405),
        ("DELETE", "/v2", {}, 405),
        ("POST", INFER, {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ("POST", INFER, {"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
        ("POST", INFER, {"content": b"x", "headers": {"Content-Encoding": "br"}}, 415),
        ("POST", INFER, {"json": {"inputs": 1}}, 422),
        ("POST", INFER, {"content": b" " * 20_000}, 413),
        ("POST", INFER, {"json": {}, "headers": {"Origin": "https://other.example"}}, 403),
    ],
)
def test_an_error_is_a_string_whoever_refuses(serving, method, path, options, status):
    client = serving("classifier", limits={"body_bytes": 10_000})
    response = client.request(method, path, **options)
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error"}
    assert isinstance(response.json()["error"], str)
    assert response.json()["error"].endswith(".")
    assert response.headers["X-Request-ID"]


def test_an_error_is_a_string_where_a_key_is_wanted_or_the_service_stops(serving):
    client = serving("classifier", api_key="a-long-enough-key")
    assert isinstance(client.post(INFER).json()["error"], str)
    client.app.service.draining = True
    response = client.post(INFER, headers={"X-API-Key": "a-long-enough-key"})
    assert response.status_code == 503
    assert isinstance(response.json()["error"], str)


def test_the_document_says_which_form_an_error_has(serving):
    paths = serving("classifier").get("/openapi.json").json()["paths"]
    forms = {
        path: operation["responses"]["404"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path, operations in paths.items()
        for operation in operations.values()
    }
    assert {form for path, form in forms.items() if path.startswith("/v2")} == {"ProtocolError"}
    others = {path: form for path, form in forms.items() if not path.startswith("/v2")}
    assert {path for path, form in others.items() if form == "OpenAIError"} == {
        "/v1/completions",
        "/v1/chat/completions",
    }
    assert set(others.values()) == {"Error", "OpenAIError"}


# ---- requests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 64, 65, LONGEST_ID])
def test_an_id_comes_back_whole(serving, length):
    answer = serving("classifier").post(INFER, json={"id": "ü" * length, "inputs": [IMAGE]})
    assert answer.json()["id"] == "ü" * length


def test_an_id_that_is_too_long_is_refused_and_not_cut(serving):
    answer = serving("classifier").post(INFER, json={"id": "a" * (LONGEST_ID + 1), "inputs": [IMAGE]})
    assert answer.status_code == 422
    assert str(LONGEST_ID) in answer.json()["error"]


def test_callers_whose_long_keys_differ_at_their_ends_are_two_callers(serving):
    client = serving("classifier", "classifier-2")
    client.app.service.registry.split("classifier", "v2", 0.5)
    keys = [f"{'a' * 300}{number}" for number in range(32)]

    def version(key: str) -> str:
        headers = {"X-Sticky-Key": key}
        return client.post("/v1/models/classifier/predict", json=PIXELS, headers=headers).json()["version"]

    assert {version(key) for key in keys} == {"v1", "v2"}
    for key in keys[:4]:
        job = client.post("/v1/models/classifier/jobs", json=PIXELS, headers={"X-Sticky-Key": key}).json()
        assert job["version"] == version(key), "a job goes to the version that predictions of its caller go to"


PIXELS = {"inputs": {"image": np.zeros((1, 1, 8, 8), int).tolist()}}


@pytest.mark.parametrize("kind", ["Application/JSON", "APPLICATION/json; Charset=UTF-8", "application/json ;a=b"])
def test_types_of_media_are_read_without_regard_to_case(serving, kind):
    client = serving("classifier", admin_token="a-long-enough-token")
    content = json.dumps({"inputs": [IMAGE]}).encode()
    assert client.post(INFER, content=content, headers={"Content-Type": kind}).status_code == 200
    packed = {"Content-Type": binary.CONTENT_TYPE.upper(), binary.HEADER: str(len(content))}
    assert client.post(INFER, content=content, headers=packed).status_code == 200
    body = json.dumps(PIXELS).encode()
    assert client.post("/v1/models/classifier/predict", content=body, headers={"Content-Type": kind}).status_code == 200
    token = {"Content-Type": kind, "X-Admin-Token": "a-long-enough-token"}
    promoted = client.post("/admin/models/classifier/promote", content=b'{"version": "v1"}', headers=token)
    assert promoted.json()["error"]["code"] == "conflict", "it was read: this version is the champion already"


def test_an_image_is_answered_to_whoever_accepts_it_in_capitals(serving, picture):
    headers = {"Content-Type": "IMAGE/PNG", "Accept": "Image/PNG;q=1"}
    answer = serving("translator").post("/v1/models/translator/predict", content=picture(mode="RGB"), headers=headers)
    assert answer.headers["Content-Type"] == "image/png"


# ---- names of classes --------------------------------------------------------------------------------------


def test_names_of_classes_as_bytes_are_the_classes_of_their_numbers(serving):
    client = serving("generator")

    def drawn(*inputs: dict, content: bytes = b"") -> list[float]:
        text = json.dumps({"inputs": inputs}).encode()
        headers = {"Content-Type": binary.CONTENT_TYPE, binary.HEADER: str(len(text))}
        answer = client.post("/v2/models/generator/infer", content=text + content, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["outputs"][0]["data"]

    numbers = drawn(LATENT, {"name": "label", "shape": [2], "datatype": "INT64", "data": [2, 0]})
    assert drawn(LATENT, label()) == numbers
    assert drawn(LATENT, label(data=[["owl"], ["cat"]], shape=[2, 1])) == numbers
    packed = b"".join(struct.pack("<I", len(name)) + name for name in (b"owl", b"cat"))
    follows = {
        key: value for key, value in label(parameters={"binary_data_size": len(packed)}).items() if key != "data"
    }
    assert drawn(LATENT, follows, content=packed) == numbers


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"data": ["owl", "cow"]}, "cat, dog, owl"),
        ({"data": ["owl"]}, "another number of values than its shape"),
        ({"data": [1, 2]}, "must be strings"),
        ({"shape": [2, 0]}, "whole numbers from 1"),
        ({"datatype": "FP32"}, "INT64 or BYTES"),
    ],
)
def test_names_that_do_not_fit_are_refused_with_the_reason(serving, changed, told):
    answer = serving("generator").post("/v2/models/generator/infer", json={"inputs": [LATENT, label(**changed)]})
    assert answer.status_code == 422
    assert told in answer.json()["error"]


def test_bytes_for_an_input_of_numbers_are_refused_by_the_type_that_it_wants(serving):
    tensor = LATENT | {"datatype": "BYTES", "data": ["a"], "shape": [1]}
    answer = serving("generator").post("/v2/models/generator/infer", json={"inputs": [tensor, label()]})
    assert "'latent' must have the datatype FP32." in answer.json()["error"]


# ---- best classes ------------------------------------------------------------------------------------------


def best(client, classes: object, **more: object):
    parameters = {"classification": classes} | more
    outputs = [{"name": "probability", "parameters": parameters}]
    return client.post(INFER, json={"inputs": [IMAGE], "outputs": outputs})


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (2, 2), (9, 3)])
def test_the_best_classes_come_with_score_number_and_name(serving, asked, given):
    client = serving("classifier")
    scores = np.reshape(client.post(INFER, json={"inputs": [IMAGE]}).json()["outputs"][0]["data"], (2, 3))
    (tensor,) = best(client, asked).json()["outputs"]
    assert (tensor["datatype"], tensor["shape"]) == ("BYTES", [2, given])
    names = ("cat", "dog", "owl")
    wanted = [f"{row[i]:f}:{i}:{names[i]}" for row in scores for i in np.argsort(-row)[:given]]
    assert tensor["data"] == wanted


def test_the_best_classes_may_be_asked_for_as_bytes(serving):
    client = serving("classifier")
    as_json = best(client, 2).json()["outputs"][0]["data"]
    answer = best(client, 2, binary_data=True)
    length = int(answer.headers[binary.HEADER])
    rest, found = answer.content[length:], []
    while rest:
        end = 4 + int.from_bytes(rest[:4], "little")
        found.append(rest[4:end].decode())
        rest = rest[end:]
    assert found == as_json


def test_no_best_classes_are_the_plain_scores(serving):
    assert best(serving("classifier"), 0).json()["outputs"][0]["datatype"] == "FP32"


@pytest.mark.parametrize("classes", [-1, "2", 1.5, True])
def test_a_number_of_classes_that_is_none_is_refused(serving, classes):
    assert "number of classes" in best(serving("classifier"), classes).json()["error"]


def test_an_output_without_a_score_of_each_class_has_no_best_ones(serving):
    outputs = [{"name": "image", "parameters": {"classification": 1}}]
    body = {"inputs": [LATENT, label()], "outputs": outputs}
    answer = serving("generator").post("/v2/models/generator/infer", json=body)
    assert (answer.status_code, "best classes" in answer.json()["error"]) == (422, True)


@pytest.mark.parametrize(
    ("name", "where"), [("shared_memory_region", "outputs"), ("shared_memory_region", "inputs"), ("sequence_id", "")]
)
def test_what_would_have_to_be_done_and_is_not_is_refused_by_its_name(serving, name, where):
    body = {"inputs": [dict(IMAGE)], "outputs": [{"name": "probability"}]}
    (body[where][0] if where else body)["parameters"] = {name: "a"}
    answer = serving("classifier").post(INFER, json=body)
    assert answer.status_code == 422
    assert name in answer.json()["error"]


def test_parameters_that_nobody_knows_change_nothing(serving):
    body = {"inputs": [IMAGE], "parameters": {"priority": 1, "mine": "x", "sequence_id": 0}}
    assert serving("classifier").post(INFER, json=body).status_code == 200


def test_pictures_as_bytes_are_as_many_as_their_shape_says(serving, picture):
    data = [base64.b64encode(picture()).decode()] * 2
    tensor = {"name": "image", "shape": [3], "datatype": "BYTES", "data": data}
    assert serving("classifier").post(INFER, json={"inputs": [tensor]}).status_code == 422
    assert serving("classifier").post(INFER, json={"inputs": [tensor | {"shape": [2]}]}).status_code == 200


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"parameters": {"classification": 2}}, "a parameter of an output"),
        ({"parameters": {"class_count": 2}}, "best classes by the parameter"),
        ({"outputs": [{"name": "score", "parameters": {"class_count": 2}}]}, "best classes by the parameter"),
        ({"outputs": [{"name": "score"}, {"name": "score"}]}, "names an output twice"),
        ({"parameters": 5}, "must be an object"),
    ],
)
def test_what_would_be_passed_over_in_silence_is_refused(serving, more, said):
    client = serving("classifier")
    name = client.get("/v2/models/classifier").json()["outputs"][0]["name"]
    body = json.loads(json.dumps({"inputs": [IMAGE]} | more).replace('"score"', json.dumps(name)))
    response = client.post(INFER, json=body)
    assert response.status_code == 422
    assert said in response.json()["error"]
