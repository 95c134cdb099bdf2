"""Film files and frames become what training would read, or a refusal with the reason; the service tells of them."""

import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from onnx import TensorProto, helper
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from tiny_bundles import Tiny, write_tiny

from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.errors import Refusal
from torchworks.serving.films import FILM_TYPES, film_rows, frames_of, read_films
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.models.signature import Signature, TensorSpec

SIZE, FRAMES, CLASSES = 8, 4, ("dark", "bright")
FILM = TensorSpec("film", "video", "uint8", ("N", "T", 1, SIZE, SIZE), low=0, high=255)
FIXED = TensorSpec("film", "video", "uint8", ("N", FRAMES, 1, SIZE, SIZE), low=0, high=255)
PREDICT = "/v1/models/tiny-film/predict"


def frames(*shades: int, size: int = SIZE) -> list[Image.Image]:
    return [Image.new("L", (size, size), shade) for shade in shades]


def written(pictures: list[Image.Image], form: str = "PNG") -> bytes:
    file, more = io.BytesIO(), {"lossless": True} if form == "WEBP" else {}
    pictures[0].save(file, form, save_all=True, append_images=pictures[1:], duration=100, **more)
    return file.getvalue()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read(*rows, limits: Limits | None = None):
    return read_films([list(row) for row in rows], FIXED, FRAMES, limits or Limits())


def shades(films: np.ndarray) -> list[list[int]]:
    return films.mean((2, 3, 4)).round().astype(int).tolist()


# ------------------------------------------------------------------------------------------------------ decoding


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP"])
def test_a_film_file_becomes_frames_evenly_over_its_time(form):
    film = written(frames(0, 40, 80, 120, 160, 200, 240, 255), form)
    assert np.abs(np.array(shades(read([film]))) - [[40, 120, 200, 255]]).max() <= 1


def test_pictures_are_the_frames_of_one_film():
    pictures = [written([frame]) for frame in frames(0, 100, 200, 250)]
    assert shades(read(pictures)) == [[0, 100, 200, 250]]
    assert shades(read(pictures, [written(frames(9, 8))])) == [[0, 100, 200, 250], [9, 9, 8, 8]]


def test_what_stands_for_films_is_known_by_its_nesting():
    assert film_rows("a") == [["a"]]
    assert film_rows(["a", "b"]) == [["a", "b"]]
    assert film_rows([["a"], ["b", b"c"]]) == [["a"], ["b", b"c"]]
    for other in ([], [[[[[1]]]]], [["a"], [1]], {}, 5, [[]]):
        assert film_rows(other) == []


def test_a_model_of_any_length_gets_as_many_frames_as_it_was_trained_with():
    assert frames_of(FIXED, {"frames": 9}) == FRAMES
    assert frames_of(FILM, {"frames": 9}) == 9
    assert frames_of(FILM, None) == 8


@pytest.mark.parametrize(
    ("film", "limits", "status", "said"),
    [
        (b"", {}, 415, "no film"),
        (b"nothing", {}, 415, "no film"),
        (b"#EXTM3U\nhttp://127.0.0.1/secret\n", {}, 415, "no film"),
        (written(frames(1, 2, 3))[:120], {}, 422, ""),
        (written(frames(1)), {}, 422, "one frame only"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 99, {}, 422, "damaged"),
        (written(frames(1, 2, 3)), {"film_frames": 2}, 413, "3 frames, but 2 are the most"),
        (written(frames(1, 2, 3), "GIF"), {"film_frames": 2}, 413, "3 frames, but 2 are the most"),
        (written(frames(1, 2, 3, size=20)), {"film_pixels": 1000}, 413, "million pixels"),
        (written(frames(1, 2, 3, size=20), "GIF"), {"film_pixels": 1000}, 413, "million pixels"),
        (written(frames(1, 2, 3, size=20)), {"image_pixels": 300}, 413, "of one"),
    ],
)
def test_broken_and_too_large_films_are_refused_with_the_reason(film, limits, status, said):
    if film.startswith(b"\0\0\0\x18"):
        pytest.importorskip("av")
    with pytest.raises(Refusal) as refused:
        read([film], limits=Limits(**limits))
    assert (refused.value.status, said in refused.value.message) == (status, True), refused.value.message


def test_all_films_of_a_request_share_the_limit_of_pixels():
    film, limits = written(frames(1, 2, 3, 4)), Limits(film_pixels=5 * SIZE * SIZE)
    read([film], limits=limits)
    with pytest.raises(Refusal, match="million pixels"):
        read([film], [film], limits=limits)


def test_without_pyav_a_video_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(Refusal, match="install the extra video") as refused:
        read([b"\0\0\0\x18ftypisom" + b"\0" * 99])
    assert refused.value.status == 415


# ------------------------------------------------------------------------------------------------------- service


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """A service of a model that knows films whose mean is bright."""
    action = TensorSpec("action", "label", "float32", ("N", 2), low=0, high=1, labels=CLASSES)
    nodes = [
        helper.make_node("Cast", ["film"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "middle"], ["bright"]),
        helper.make_node("MatMul", ["bright", "signs"], ["score"]),
        helper.make_node("Softmax", ["score"], ["action"]),
    ]
    weights = {
        "axes": np.array([1, 3, 4]), "middle": np.array(128, np.float32), "signs": np.array([[-1, 1]], np.float32),
    }  # fmt: skip
    shade = (
        np.arange(FRAMES, dtype=np.uint8)[:, None, None, None]
        + np.array([10, 240], np.uint8)[:, None, None, None, None]
    )
    golden = {"film": np.broadcast_to(shade, (2, FRAMES, 1, SIZE, SIZE)).copy()}  # Pillow joins frames that are alike
    tiny = Tiny(Signature((FILM,), (action,), most={"T": 16}), nodes, weights, golden)
    preprocessing = {"film": {"frames": FRAMES, "size": SIZE, "mode": "L", "range": [0, 255]}}
    folder = write_tiny(tiny, "tiny-film", tmp_path_factory.mktemp("bundle") / "film", preprocessing)
    registry = Registry(Settings())
    registry.add(ServedModel.load(open_bundle(folder), Settings()))
    with TestClient(create_app(registry, Settings()), base_url="http://localhost", client=("127.0.0.1", 1)) as made:
        yield made


def said(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["label"] for row in answer.json()["outputs"]["action"]]


def test_a_film_is_sent_as_a_body_in_json_as_frames_and_as_numbers(client):
    dark, bright = written(frames(10, 20, 10, 30), "GIF"), written(frames(250, 240, 250, 240), "WEBP")
    assert said(client.post(PREDICT, content=dark, headers={"Content-Type": "image/gif"})) == ["dark"]
    assert said(client.post(PREDICT, json={"inputs": {"film": base64_of(bright)}})) == ["bright"]
    two = [[base64_of(dark)], [base64_of(written([frame])) for frame in frames(250, 240, 255)]]
    assert said(client.post(PREDICT, json={"inputs": {"film": two}})) == ["dark", "bright"]
    parts = [("film", (f"{n}.png", written([frame]), "image/png")) for n, frame in enumerate(frames(250, 240, 230))]
    assert said(client.post(PREDICT, files=parts)) == ["bright"]
    numbers = np.full((2, 3, 1, SIZE, SIZE), 255).tolist()
    assert said(client.post(PREDICT, json={"inputs": {"film": numbers}})) == ["bright", "bright"]


def test_the_open_inference_protocol_takes_film_files(client):
    data = [base64_of(written(frames(0, 10))), base64_of(written(frames(250, 240)))]
    tensor = {"name": "film", "shape": [2], "datatype": "BYTES", "data": data}
    answer = client.post("/v2/models/tiny-film/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200, answer.text
    assert np.array(answer.json()["outputs"][0]["data"]).reshape(2, 2).argmax(1).tolist() == [0, 1]


def test_examples_are_films_that_the_model_answers_and_the_description_knows_them(client):
    about = client.get("/v1/models/tiny-film").json()
    assert about["signature"]["inputs"][0]["kind"] == "video"
    assert about["limits"]["film_frames"] == 256
    example = about["examples"][0]
    with Image.open(io.BytesIO(base64.b64decode(example["inputs"]["film"]))) as film:
        assert film.size == (SIZE, SIZE)
    assert said(client.post(PREDICT, json=example)) == ["dark"]
    body = client.get("/openapi.json").json()["paths"][PREDICT]["post"]["requestBody"]["content"]
    assert {*FILM_TYPES, "multipart/form-data", "application/json"} == {*body}


@pytest.mark.parametrize(
    "film",
    [
        [], [[]], [["", 5]], {"a": 1}, "not base64!", [[["a"]]], base64_of(b"x"), None,
        [base64_of(written(frames(1, 2)))] * 2,
    ],
    ids=str,
)  # fmt: skip
def test_hostile_values_give_no_5xx(client, film):
    answer = client.post(
        PREDICT, content=json.dumps({"inputs": {"film": film}}), headers={"Content-Type": "application/json"}
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["message"]


def test_other_bodies_are_refused_by_type(client):
    assert client.post(PREDICT, content=b"x", headers={"Content-Type": "image/jpeg"}).status_code == 415
    answer = client.post(PREDICT, content=b"x", headers={"Content-Type": "video/mp4"})
    assert answer.status_code == 415
    assert "no film" in answer.json()["error"]["message"]
