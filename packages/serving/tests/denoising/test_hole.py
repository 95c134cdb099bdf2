"""A part of an image is drawn anew, and nothing else of it changes."""

import base64
import io

import numpy as np
import pytest
from drawing_bundles import DRAW, SIZE, SPECS, drawn, evaluator, events, pictures
from PIL import Image

from torchworks.serving.denoising.images import noise_of
from torchworks.serving.image_files import read_picture
from torchworks.serving.limits import Limits
from torchworks.shared.denoising.grids import uniform
from torchworks.shared.denoising.restoring import restore
from torchworks.shared.models.denoising import Denoiser, Drawing, shown
from torchworks.shared.models.signature import TensorSpec


def file(values: np.ndarray) -> str:
    """An image file in base64."""
    made = io.BytesIO()
    Image.fromarray(values).save(made, "PNG")
    return base64.b64encode(made.getvalue()).decode()


IMAGE = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
HOLE = np.zeros((SIZE, SIZE), np.uint8)
HOLE[2:6, 3:8] = 255
GIVEN = {"image": file(IMAGE), "mask": file(HOLE)}


def filled(folder, n: int, label: int, drawing: Drawing, resamplings: int, seed: int) -> np.ndarray:
    """Without a service, uint8."""
    spec, mask, known = SPECS["greys"], HOLE[None] > 0, IMAGE[None] / np.float32(127.5) - 1
    images = restore(
        Denoiser(spec, evaluator(folder / "greys"), {"label": np.full(n, label)}, drawing),
        lambda image: np.where(mask, image, known),
        uniform(spec.noise_path, drawing.steps),
        noise_of(seed, range(n), spec.shape),
        resamplings=resamplings,
    )
    return (shown(images)[:, 0] * 255).round().astype(np.uint8)


@pytest.mark.parametrize(("steps", "resamplings", "guidance"), [(1, 1, 1.0), (5, 1, 2.0), (6, 4, 1.5)])
def test_the_hole_is_filled_and_no_other_pixel_changes(client, folder, steps, resamplings, guidance):
    asked = {"n": 3, "seed": 4, "label": "grey", "steps": steps, "resamplings": resamplings, "guidance": guidance}
    found = drawn(client, DRAW, **GIVEN, **asked)
    np.testing.assert_array_equal(found[:, HOLE == 0], np.tile(IMAGE[HOLE == 0], (3, 1)))
    wanted = filled(folder, 3, 1, Drawing("ddim", steps, guidance), resamplings, 4)
    assert np.abs(found[:, HOLE > 0].astype(int) - wanted[:, HOLE > 0]).max() <= 1
    assert len(np.unique(found, axis=0)) == 3


def test_without_a_class_none_is_asked_for(client, folder):
    found = drawn(client, DRAW, **GIVEN, seed=1)
    wanted = filled(folder, 1, SPECS["greys"].conditions[0].nothing, Drawing("ddim", 12, 1.0), 3, 1)
    assert np.abs(found[:, HOLE > 0].astype(int) - wanted[:, HOLE > 0]).max() <= 1
    assert found[:, HOLE > 0].max() < 60  # of none the grey is black


def test_a_filling_does_not_depend_on_how_many_are_drawn(client):
    many = drawn(client, DRAW, **GIVEN, n=11, label="dark", seed=3)
    np.testing.assert_array_equal(drawn(client, DRAW, **GIVEN, n=2, label="dark", seed=3), many[:2])


def test_image_and_mask_may_come_as_files_of_a_form(client):
    files = {name: (f"{name}.png", base64.b64decode(value)) for name, value in GIVEN.items()}
    found = client.post(DRAW, files=files, data={"label": "dark", "seed": "3", "n": "2", "steps": "4"})
    assert found.status_code == 200, found.text
    wanted = drawn(client, DRAW, **GIVEN, label="dark", seed=3, n=2, steps=4)
    np.testing.assert_array_equal(pictures(found.json()["outputs"]["image"]), wanted)


def test_a_larger_image_is_brought_to_the_model_s_size_with_its_mask(client):
    large = {name: file(values.repeat(5, 0).repeat(5, 1)) for name, values in (("image", IMAGE), ("mask", HOLE))}
    pixels = TensorSpec("image", "image", "uint8", ("N", 1, SIZE, SIZE))
    read = read_picture(base64.b64decode(large["image"]), pixels, Limits())[0]
    np.testing.assert_array_equal(drawn(client, DRAW, **large, seed=2)[0][HOLE == 0], read[HOLE == 0])


def test_a_stream_shows_what_is_known_from_the_first_step_on(client):
    asked = GIVEN | {"steps": 4, "stream": True, "previews": True}
    with client.stream("POST", DRAW, json=asked) as response:
        *steps, _, _ = events(response)
    assert [each["step"] for each in steps] == [1, 2, 3, 4]
    for each in steps:
        np.testing.assert_array_equal(pictures(each["images"])[0][HOLE == 0], IMAGE[HOLE == 0])


@pytest.mark.parametrize(
    ("asked", "status", "says"),
    [
        ({"mask": file(HOLE[:6])}, 422, "The mask has 8 × 6 pixels and the image 8 × 8"),
        ({"mask": file(HOLE * 0)}, 422, "covers nothing of the image"),
        ({"mask": file(HOLE * 0 + 255)}, 422, "covers all of the image"),
        ({"mask": 5}, 422, "'mask' must be an image file"),
        ({"mask": "%%%"}, 422, "base64"),
        ({"image": base64.b64encode(b"no image").decode()}, 415, "must be a PNG, JPEG or WEBP file"),
        ({"resamplings": 21}, 422, "'resamplings' must be a whole number from 1 to 20"),
        ({"sampler": "heun"}, 422, "so leave 'sampler' out"),
        ({"latent": [[0.0] * SIZE**2]}, 422, "so leave 'latent' out"),
    ],
)
def test_what_is_no_hole_is_refused_by_name(client, asked, status, says):
    response = client.post(DRAW, json=GIVEN | asked)
    assert response.status_code == status
    assert says in response.json()["error"]["message"]


@pytest.mark.parametrize("name", GIVEN)
def test_image_and_mask_go_together(client, name):
    response = client.post(DRAW, json={name: GIVEN[name]})
    assert response.status_code == 422
    assert "go together" in response.json()["error"]["message"]
