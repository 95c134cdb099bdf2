"""Models that take images as large as they are: whole files in, and limits on what is computed at once."""

import base64
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from enlarging_bundles import ENLARGED, IMAGE, MOST, SIGNATURE, write_enlarger

from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.largest_image import TOGETHER, Largest, in_pieces
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.models.signature import Signature, TensorSpec

PREDICT = "/v1/models/tiny-enlarger/predict"


def pixels(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, height, width), dtype=np.uint8)


def file_of(image: np.ndarray, form: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, form, **options)
    return file.getvalue()


def large(image: np.ndarray) -> np.ndarray:
    return image.repeat(2, 1).repeat(2, 2)


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image).transpose(2, 0, 1)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = write_enlarger("tiny-enlarger", tmp_path_factory.mktemp("any") / "bundle")
    return ServedModel.load(open_bundle(folder), Settings())


@pytest.fixture(scope="module")
def client(served):
    registry = Registry(Settings())
    registry.add(served)
    with TestClient(create_app(registry, Settings()), base_url="http://localhost", client=("127.0.0.1", 1)) as made:
        yield made


@pytest.mark.parametrize("size", [(1, 1), (7, 4), (MOST, MOST)])
def test_a_file_goes_in_whole_and_the_answer_is_a_file(client, size):
    image = pixels(*size)
    headers = {"Content-Type": "image/png", "Accept": "image/png"}
    answer = client.post(PREDICT, content=file_of(image), headers=headers)
    assert answer.status_code == 200, answer.text
    assert np.array_equal(opened(answer.content), large(image))
    answer = client.post(PREDICT, json={"inputs": {"image": base64.b64encode(file_of(image)).decode()}})
    assert np.array_equal(opened(base64.b64decode(answer.json()["outputs"]["enlarged"][0])), large(image))
    answer = client.post(PREDICT, json={"inputs": {"image": image[None].tolist()}})
    assert np.array_equal(opened(base64.b64decode(answer.json()["outputs"]["enlarged"][0])), large(image))


def test_a_turned_photograph_is_set_upright_and_measured_so(client):
    turned = Image.Exif()
    turned[0x112] = 6
    headers = {"Content-Type": "image/jpeg", "Accept": "image/png"}
    answer = client.post(PREDICT, content=file_of(pixels(12, 4), "JPEG", exif=turned), headers=headers)
    assert opened(answer.content).shape == (3, 24, 8)


@pytest.mark.parametrize("size", [(MOST + 1, 4), (4, MOST + 1), (3000, 2000)])
def test_a_larger_image_is_refused_before_it_is_decoded(client, size):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "PNG")
    answer = client.post(PREDICT, content=file.getvalue(), headers={"Content-Type": "image/png"})
    assert answer.status_code == 413
    told = f"may be {MOST} × {MOST} pixels at most for this model, and this one is {size[0]} × {size[1]}"
    assert told in answer.json()["error"]["message"]


def test_images_of_a_request_have_one_size_and_are_not_too_many(client):
    def post(*images):
        return client.post(PREDICT, files=[("image", (f"{i}.png", file_of(one))) for i, one in enumerate(images)])

    assert len(post(pixels(3, 4), pixels(3, 4)).json()["outputs"]["enlarged"]) == 2
    answer = post(pixels(3, 4), pixels(4, 3))
    assert answer.status_code == 422
    assert "must have one size, but these have 3 × 4 and 4 × 3 pixels" in answer.json()["error"]["message"]
    many = [pixels(MOST, MOST)] * (TOGETHER + 1)
    assert post(*many[1:]).status_code == 200
    assert (answer := post(*many)).status_code == 413
    assert "204,800 pixels for this model: send fewer" in answer.json()["error"]["message"]
    answer = client.post(PREDICT, json={"inputs": {"image": np.stack(many).tolist()}})
    assert answer.status_code == 413


def test_no_more_pixels_than_those_of_the_largest_image_are_computed_at_once():
    seen = []

    def run(inputs):
        seen.append(len(inputs["image"]))
        return {"enlarged": inputs["image"] * 2}

    bounded = in_pieces(run, SIGNATURE)
    for size, wanted in ((MOST, [1] * 5), (MOST // 2, [4, 1]), (1, [5])):
        seen.clear()
        images = np.arange(5 * 3 * size * size).reshape(5, 3, size, size)
        assert np.array_equal(bounded({"image": images})["enlarged"], 2 * images)
        assert seen == wanted
    fixed = Signature((TensorSpec("image", "image", "uint8", ("N", 3, 8, 8)),), (ENLARGED,))
    assert in_pieces(run, fixed) is run
    assert Largest.of(IMAGE, {}) is None  # of any size whatever
    assert Largest.of(TensorSpec("image", "image", "float32", ("N", 3, "H", "W")), SIGNATURE.most) is None


def test_the_service_tells_of_the_files_that_it_takes(client):
    told = client.get("/v1/models/tiny-enlarger").json()
    assert isinstance(told["examples"][0]["inputs"]["image"], str)
    assert told["signature"]["most"] == {"H": MOST, "W": MOST}
    answer = client.post(PREDICT, json=told["examples"][0])
    assert answer.status_code == 200
