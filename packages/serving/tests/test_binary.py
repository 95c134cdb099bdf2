"""The Open Inference Protocol's tensors as bytes: they give what JSON gives, for every type, and slips are refused."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from torchworks.serving import binary
from torchworks.serving.errors import Refusal
from torchworks.serving.limits import Limits
from torchworks.serving.routes import v2
from torchworks.shared.models.signature import TensorSpec

INFER = "/v2/models/classifier/infer"
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8)).astype(np.uint8)
TENSOR = {"name": "image", "shape": [2, 1, 8, 8], "datatype": "UINT8"}


def as_json(**more):
    return {"inputs": [TENSOR | {"data": PIXELS.ravel().tolist()}]} | more


def as_bytes(content: bytes = PIXELS.tobytes(), size: object = None, **more):
    """The document of a request whose tensor follows it."""
    parameters = {"binary_data_size": len(content) if size is None else size}
    return {"inputs": [TENSOR | {"parameters": parameters} | more]}


def post(client, document: dict, *parts: bytes, length: object = None, kind: str = binary.CONTENT_TYPE):
    text = json.dumps(document).encode()
    headers = {binary.HEADER: str(len(text) if length is None else length), "Content-Type": kind}
    return client.post(INFER, content=b"".join([text, *parts]), headers=headers)


def outputs_of(response) -> dict[str, np.ndarray]:
    """Of an answer whose tensors are bytes."""
    length = int(response.headers[binary.HEADER])
    document, rest = json.loads(response.content[:length]), response.content[length:]
    arrays = {}
    for tensor in document["outputs"]:
        assert "data" not in tensor
        size = tensor["parameters"]["binary_data_size"]
        arrays[tensor["name"]] = np.frombuffer(rest[:size], "<f4").reshape(tensor["shape"])
        rest = rest[size:]
    assert rest == b""
    return arrays


def test_the_server_says_that_it_takes_bytes(serving):
    assert serving("classifier").get("/v2").json()["extensions"] == ["binary_tensor_data", "classification"]


@pytest.mark.parametrize("kind", [binary.CONTENT_TYPE, "application/json"])
def test_a_tensor_as_bytes_gives_the_answer_that_it_gives_as_json(serving, kind):
    client = serving("classifier")
    answer = post(client, as_bytes(), PIXELS.tobytes(), kind=kind)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["outputs"] == client.post(INFER, json=as_json()).json()["outputs"]


@pytest.mark.parametrize(
    "wish",
    [
        {"parameters": {"binary_data_output": True}},
        {"outputs": [{"name": "probability", "parameters": {"binary_data": True}}]},
    ],
)
def test_an_answer_as_bytes_has_the_numbers_that_it_has_as_json(serving, wish):
    client = serving("classifier")
    wanted = client.post(INFER, json=as_json()).json()["outputs"][0]
    answer = client.post(INFER, json=as_json(id="7") | wish)
    assert answer.headers["Content-Type"] == binary.CONTENT_TYPE
    found = outputs_of(answer)["probability"]
    assert found.shape == tuple(wanted["shape"])
    assert found.ravel().tolist() == wanted["data"]
    assert json.loads(answer.content[: int(answer.headers[binary.HEADER])])["id"] == "7"


def test_an_outputs_own_wish_goes_before_that_of_the_request(serving):
    wish = {"parameters": {"binary_data_output": True}}
    outputs = [{"name": "probability", "parameters": {"binary_data": False}}]
    answer = serving("classifier").post(INFER, json=as_json(outputs=outputs) | wish)
    assert len(answer.json()["outputs"][0]["data"]) == 6


def test_picture_files_may_follow_as_they_are(serving, picture):
    client = serving("classifier")
    files = [picture(seed=seed) for seed in (1, 2)]
    content = b"".join(struct.pack("<I", len(file)) + file for file in files)
    answer = post(client, as_bytes(content, shape=[2], datatype="BYTES"), content)
    single = [
        client.post(
            "/v1/models/classifier/predict", content=file, headers={"Content-Type": "image/png"}
        ).json()["outputs"]["probability"][0]["probabilities"].values()
        for file in files
    ]  # fmt: skip
    assert np.reshape(answer.json()["outputs"][0]["data"], (2, 3)).tolist() == [list(row) for row in single]


@pytest.mark.parametrize(
    ("document", "content", "status"),
    [
        (as_bytes(), PIXELS.tobytes()[1:], 422),
        (as_bytes(), PIXELS.tobytes() + b"x", 422),
        (as_bytes(size=-1), PIXELS.tobytes(), 422),
        (as_bytes(size="128"), PIXELS.tobytes(), 422),
        (as_bytes(size=True), PIXELS.tobytes(), 422),
        (as_bytes(size=10**30), PIXELS.tobytes(), 422),
        (as_bytes(b"1234"), b"1234", 422),
        (as_bytes(data=[1]), PIXELS.tobytes(), 422),
        (as_bytes(datatype="FP32"), PIXELS.tobytes(), 422),
        (as_json(), PIXELS.tobytes(), 422),
        (as_bytes(b"\xff\0\0\0a", datatype="BYTES"), b"\xff\0\0\0a", 422),
        (as_bytes(b"\1\0", datatype="BYTES"), b"\1\0", 422),
        (as_bytes(b"\1\0\0\0a", datatype="BYTES", shape=[1]), b"\1\0\0\0a", 415),
        (as_bytes(bytes(4 * 65), datatype="BYTES"), bytes(4 * 65), 413),
    ],
)
def test_bytes_that_do_not_fit_what_the_json_says_are_refused(serving, document, content, status):
    response = post(serving("classifier"), document, content)
    assert response.status_code == status
    assert response.json()["error"].endswith(".")


@pytest.mark.parametrize("length", ["0", "-1", "x", "1e3", "99999", "9" * 30, ""])
def test_a_length_of_the_json_that_cannot_be_is_refused(serving, length):
    assert post(serving("classifier"), as_bytes(), PIXELS.tobytes(), length=length).status_code == 400


def test_bytes_without_the_length_of_the_json_are_refused(serving):
    headers = {"Content-Type": binary.CONTENT_TYPE}
    response = serving("classifier").post(INFER, content=b"{}", headers=headers)
    assert response.status_code == 415
    assert binary.HEADER in response.json()["error"]


@pytest.mark.parametrize("dtype", [name for name in v2.DATATYPES if name != "bfloat16"])  # NumPy has no such type
def test_every_type_is_read_as_it_was_packed_into_an_array_that_may_be_written_to(dtype):
    values = np.array([0, 1, 100], dtype)
    spec = TensorSpec("x", "features", dtype, ("N",))
    found = binary.array(spec, memoryview(binary.packed(values)))
    np.testing.assert_array_equal(found, values, strict=True)
    assert found.flags.writeable


def test_numbers_that_are_cut_off_are_refused():
    with pytest.raises(Refusal, match="'x' must have 4 bytes for each value"):
        binary.array(TensorSpec("x", "features", "float32", ("N",)), memoryview(bytes(6)))


def test_nan_is_refused_as_bytes_too(serving):
    client = serving("sqrt")
    content = struct.pack("<f", float("nan"))
    tensor = {"name": "series", "shape": [1, 1], "datatype": "FP32", "parameters": {"binary_data_size": 4}}
    text = json.dumps({"inputs": [tensor]}).encode()
    headers = {binary.HEADER: str(len(text)), "Content-Type": binary.CONTENT_TYPE}
    response = client.post("/v2/models/sqrt/infer", content=text + content, headers=headers)
    assert response.status_code == 422
    assert "not finite" in response.json()["error"]


def test_no_more_elements_are_cut_than_a_request_may_have_rows():
    limits = replace(Limits(), rows=3)
    spec = TensorSpec("x", "image", "uint8", ("N", 1, 8, 8))
    assert len(binary.elements(spec, memoryview(bytes(4000)), limits.rows)) == 4
