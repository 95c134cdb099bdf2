"""Bodies as real clients send them: packed, with a mark before the JSON, base64 of every usual kind; and HEAD."""

import base64
import gzip
import json
import zlib

import pytest

PREDICT = "/v1/models/classifier/predict"
PIXELS = json.dumps({"inputs": {"image": [[[[200] * 8] * 8]]}}).encode()
MIB = 1 << 20


def post(client, content: bytes, path: str = PREDICT, kind: str = "application/json", **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, content=content, headers={"Content-Type": kind} | named)


# ---- packed bodies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("identity", bytes),
        ("gzip", lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:])),
    ],
)
def test_a_packed_body_is_read_as_what_is_in_it(serving, picture, coding, pack):
    client = serving("classifier")
    plain = post(client, PIXELS).json()["outputs"]
    assert post(client, pack(PIXELS), Content_Encoding=coding).json()["outputs"] == plain
    png = picture()
    given = post(client, pack(png), kind="image/png", Content_Encoding=coding).json()["outputs"]
    assert given == post(client, png, kind="image/png").json()["outputs"]


def test_a_packed_form_and_packed_tensors_are_read(serving, picture):
    client = serving("classifier")
    form = client.build_request("POST", PREDICT, files={"image": ("a.png", picture(), "image/png")})
    content = gzip.compress(form.read())
    assert post(client, content, kind=form.headers["Content-Type"], Content_Encoding="gzip").status_code == 200
    tensor = {"name": "image", "shape": [1, 1, 8, 8], "datatype": "UINT8", "parameters": {"binary_data_size": 64}}
    text = json.dumps({"inputs": [tensor]}).encode()
    headers = {"Content_Encoding": "gzip", "Inference_Header_Content_Length": str(len(text))}
    answer = post(client, gzip.compress(text + bytes(64)), "/v2/models/classifier/infer", **headers)
    assert answer.status_code == 200


def test_a_form_that_is_cut_off_is_refused_and_what_follows_its_end_does_not_count(serving, picture):
    client = serving("classifier")
    form = client.build_request("POST", PREDICT, files={"image": ("a.png", picture(), "image/png")})
    content, kind = form.read(), form.headers["Content-Type"]
    assert post(client, content + b"after the end", kind=kind).status_code == 200
    for missing in (4, 40):
        cut = post(client, content[:-missing], kind=kind)
        assert (cut.status_code, cut.json()["error"]["code"]) == (400, "bad_form")


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "gzip, br", "x"])
def test_a_coding_that_is_not_read_is_refused_by_its_name(serving, coding):
    response = post(serving("classifier"), PIXELS, Content_Encoding=coding)
    assert (response.status_code, response.json()["error"]["code"]) == (415, "wrong_encoding")
    assert coding in response.json()["error"]["message"]
    assert response.headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", PIXELS),
        ("gzip", gzip.compress(PIXELS)[:-9]),
        ("gzip", gzip.compress(PIXELS) + b"more"),
        ("gzip", b""),
        ("deflate", gzip.compress(PIXELS)),
        ("deflate", zlib.compress(PIXELS) + b"more"),
    ],
    ids=["not packed", "cut", "followed by more", "empty", "the other format", "deflate followed by more"],
)
def test_a_body_that_is_not_packed_as_it_says_is_refused(serving, coding, content):
    response = post(serving("classifier"), content, Content_Encoding=coding)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_encoding")


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, lambda data: b"".join(gzip.compress(data[:MIB]) for _ in range(64))],
    ids=["one stream", "many streams"],
)
def test_a_small_body_cannot_unpack_to_more_than_the_limit(serving, pack):
    client = serving("classifier", limits={"body_bytes": 3 * MIB})
    content = pack(bytes(64 * MIB))
    assert len(content) < MIB
    response = post(client, content, Content_Encoding="gzip")
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")


def test_a_packed_body_of_exactly_the_limit_is_read(serving):
    client = serving("classifier", limits={"body_bytes": 2 * MIB})
    content = PIXELS + b" " * (2 * MIB - len(PIXELS))
    assert post(client, gzip.compress(content), Content_Encoding="gzip").status_code == 200
    assert post(client, gzip.compress(content + b" "), Content_Encoding="gzip").status_code == 413


# ---- JSON --------------------------------------------------------------------------------------------------


def test_a_mark_before_the_json_is_passed_over(serving):
    client = serving("classifier", admin_token="a-long-enough-token")
    assert post(client, b"\xef\xbb\xbf" + PIXELS).json()["outputs"] == post(client, PIXELS).json()["outputs"]
    body = b'\xef\xbb\xbf{"version": "v1"}'
    answer = post(client, body, "/admin/models/classifier/promote", X_Admin_Token="a-long-enough-token")
    assert answer.json()["error"]["code"] == "conflict", "it was read: this version is the champion already"


def test_json_in_another_encoding_is_refused_by_its_name(serving):
    response = post(serving("classifier"), PIXELS.decode().encode("utf-16"))
    assert response.status_code == 400
    assert "UTF-16" in response.json()["error"]["message"]


# ---- base64 ------------------------------------------------------------------------------------------------


@pytest.fixture
def odd(picture) -> bytes:
    """A file whose base64 has padding and both characters in which the alphabets differ."""
    files = (picture(seed=seed) for seed in range(1000))
    return next(f for f in files if len(f) % 3 and {"+", "/"} <= set(base64.b64encode(f).decode()))


KINDS = {
    "plain": lambda data: base64.b64encode(data).decode(),
    "lines": lambda data: base64.encodebytes(data).decode(),
    "Windows lines": lambda data: base64.encodebytes(data).decode().replace("\n", "\r\n"),
    "for addresses": lambda data: base64.urlsafe_b64encode(data).decode(),
    "without padding": lambda data: base64.b64encode(data).decode().rstrip("="),
    "for addresses, without padding": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "address of a PNG": lambda data: "data:image/png;base64," + base64.b64encode(data).decode(),
    "address of a jpg": lambda data: "data:image/jpg;base64," + base64.b64encode(data).decode(),
    "address of bytes": lambda data: "data:application/octet-stream;base64," + base64.b64encode(data).decode(),
    "address with a parameter": lambda data: "data:image/png;charset=utf-8;base64," + base64.b64encode(data).decode(),
    "address without a type": lambda data: "DATA:;BASE64," + base64.b64encode(data).decode(),
    "address with escapes": lambda data: "data:image/png;base64," + base64.b64encode(data).decode().replace("=", "%3D"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_base64_of_every_usual_kind_is_read(serving, odd, kind):
    client = serving("classifier")
    plain = post(client, odd, kind="image/png").json()["outputs"]
    text = KINDS[kind](odd)
    assert client.post(PREDICT, json={"inputs": {"image": text}}).json()["outputs"] == plain
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}
    assert client.post("/v2/models/classifier/infer", json={"inputs": [tensor]}).status_code == 200


@pytest.mark.parametrize(
    ("text", "why"), [("@@@", "has characters"), ("iVBORw0KGgoA!", "has characters"), ("iVBOR", "is cut off")]
)
def test_what_is_no_base64_is_refused_with_the_reason(serving, text, why):
    response = serving("classifier").post(PREDICT, json={"inputs": {"image": text}})
    assert response.status_code == 422
    assert why in response.json()["error"]["message"]


# ---- HEAD --------------------------------------------------------------------------------------------------

READ = (
    "/livez", "/readyz", "/metrics", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/generator", "/docs",
    "/v2/models/generator/ready", "/v2/models/generator/versions/v1", "/dashboard/", "/openapi.json", "/v1/models",
    "/v1/models/generator", "/v1/models/generator/live", "/v1/models/generator/recent", "/v1/models/generator/drift",
)  # fmt: skip


@pytest.mark.parametrize("path", READ)
def test_head_is_answered_wherever_get_is(serving, path):
    client = serving("generator")
    head, got = client.head(path), client.get(path)
    assert (head.status_code, head.headers["Content-Type"]) == (200, got.headers["Content-Type"])
    assert "HEAD" in client.put(path).headers["Allow"]


def test_head_of_what_is_not_there_or_takes_no_get_is_refused_alike(serving):
    client = serving("generator")
    assert client.head("/v1/models/none").status_code == 404
    assert client.head("/v1/models/generator/predict").status_code == 405


def test_head_of_a_stream_is_answered_at_once(serving):
    client = serving("generator")
    job = client.post("/v1/models/generator/jobs", json={"inputs": {"seed": 1, "n": 4000}}).json()["job"]
    head = client.head(f"/v1/jobs/{job}/events")
    assert head.status_code == 200
    assert head.headers["Content-Type"].startswith("text/event-stream")
    assert head.content == b""
    assert client.head("/v1/jobs/none/events").status_code == 404


def test_an_image_may_be_called_jpg(serving, picture):
    client, jpeg = serving("classifier"), picture(form="JPEG")
    answers = [post(client, jpeg, kind=kind).json()["outputs"] for kind in ("image/jpeg", "image/jpg", "Image/JPG")]
    assert answers[0] == answers[1] == answers[2]
