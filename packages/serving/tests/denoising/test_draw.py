"""Images drawn step by step: by one's own steps and guidance, with news of each step, whoever else asks."""

import io
import threading

import numpy as np
import pytest
from drawing_bundles import CLASSES, DRAW, SIZE, alone, drawn, events, pictures
from PIL import Image

from torchworks.shared.models.denoising import SAMPLERS, Drawing


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("steps", "guidance"), [(1, 1.0), (4, 0.0), (7, 2.5)])
def test_a_request_chooses_how_images_are_drawn(client, folder, sampler, steps, guidance):
    found = drawn(client, n=3, seed=5, label="dark", steps=steps, guidance=guidance, sampler=sampler)
    wanted = alone(folder, "greys", range(3), 0, Drawing(sampler, steps, guidance), seed=5)
    np.testing.assert_array_equal(found, wanted)


def test_what_is_left_out_is_as_the_model_says(client, folder):
    np.testing.assert_array_equal(
        drawn(client, label="light"), alone(folder, "greys", range(1), 2, Drawing("ddim", 4, 1.5))
    )
    free = drawn(client, "/v1/models/free/draw", n=2)
    np.testing.assert_array_equal(free, alone(folder, "free", range(2), None, Drawing("heun", 3)))


def test_an_image_of_a_seed_is_the_same_in_every_batch_and_by_every_route(client):
    many = drawn(client, n=21, seed=9, label="grey")
    np.testing.assert_array_equal(drawn(client, n=3, seed=9, label="grey"), many[:3])
    given = {"inputs": {"n": 5, "seed": 9, "label": ["grey"]}}
    predicted = client.post("/v1/models/greys/predict", json=given).json()["outputs"]["image"]
    np.testing.assert_array_equal(pictures(predicted), many[:5])
    assert len(np.unique(many, axis=0)) == 21


def test_a_stream_has_each_step_and_then_the_images(client):
    asked = {"n": 10, "label": "dark", "steps": 3, "stream": True, "previews": True}
    with client.stream("POST", DRAW, json=asked) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        found = events(response)
    whole = drawn(client, n=10, label="dark", steps=3)
    assert found.pop() == {"rows": 10}
    for first, rows in ((0, 8), (8, 2)):
        own = [each for each in found if each["first"] == first]
        assert [each.get("step") for each in own] == [1, 2, 3, None]
        assert all(each["rows"] == rows == len(each["images"]) for each in own)
        np.testing.assert_array_equal(pictures(own[-1]["images"]), whole[first : first + rows])


def test_steps_come_without_images_unless_these_are_wanted(client):
    with client.stream("POST", DRAW, json={"label": "dark", "steps": 2, "stream": True}) as response:
        found = events(response)
    assert [set(each) for each in found] == [{"first", "rows", "step", "steps"}] * 2 + [
        {"first", "rows", "images"},
        {"rows"},
    ]


def test_one_image_comes_as_a_file_and_several_in_a_grid(client):
    for n, size in ((1, SIZE), (4, None)):
        response = client.post(DRAW, json={"n": n, "label": "dark"}, headers={"Accept": "image/png"})
        assert response.headers["content-type"] == "image/png"
        shown = Image.open(io.BytesIO(response.content))
        assert shown.size == (size, size) if size else shown.size > (2 * SIZE, 2 * SIZE)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"steps": 0}, "'steps' must be at least 1, but it holds 0"),
        ({"steps": 251}, "'steps' must be at most 250"),
        ({"steps": 2.5}, "'steps' must be nested lists of int64 values"),
        ({"guidance": -1}, "'guidance' must be at least 0, but it holds -1"),
        ({"label": "pink"}, "names a class that the model does not know"),
        ({"sampler": "ddpm"}, "names a class that the model does not know. Its classes: ddim"),
        ({"n": 0}, "'n' must be a whole number from 1"),
        ({"seed": -1}, "'seed' must be a whole number"),
        ({"latent": [[1e39] * SIZE**2]}, "not finite"),
        ({"latent": [[0.0] * 3]}, "must have the shape (N, 64)"),
        ({"colour": "red"}, "The model has no such input"),
        ({"stream": 1}, "'stream' must be true or false"),
        ({"resamplings": 2}, "it goes with an 'image' and a 'mask'"),
        ({"n": 64, "steps": 250, "label": "grey", "guidance": 30}, "'guidance' must be at most 20"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(client, asked, says):
    response = client.post(DRAW, json={"label": "dark"} | asked)
    assert response.status_code == 422
    assert says in response.json()["error"]["message"]


def test_nan_is_no_json(client):
    response = client.post(DRAW, content=b'{"latent": [[NaN]]}', headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_json")


def test_other_models_do_not_draw_step_by_step(client):
    response = client.post("/v1/models/tiny-classifier/draw", json={})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "no_drawing")


def test_images_that_are_no_numbers_fail_alone(client, folder):
    """A round of two requests, of which one breaks."""
    found = {}

    def ask(label: str) -> None:
        found[label] = client.post(DRAW, json={"n": 8, "steps": 200, "guidance": 1, "label": label})

    threads = [threading.Thread(target=ask, args=(label,)) for label in ("dark", "broken", "light")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found["broken"].status_code == 500
    for label in ("dark", "light"):
        wanted = alone(folder, "greys", range(8), CLASSES.index(label), Drawing("ddim", 200, 1.0))
        np.testing.assert_array_equal(pictures(found[label].json()["outputs"]["image"]), wanted)


def test_many_callers_at_once_get_their_own_images(client, folder):
    """Of different seeds, classes, steps, samplers and guidance, drawn in the same rounds."""
    asked = [
        {
            "n": 1 + i % 5,
            "seed": i,
            "label": CLASSES[i % 3],
            "steps": 3 + i,
            "guidance": i % 4,
            "sampler": SAMPLERS[i % 6],
        }
        for i in range(24)
    ]
    found = [None] * len(asked)

    def ask(i: int) -> None:
        found[i] = drawn(client, **asked[i])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(asked))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for given, images in zip(asked, found, strict=True):
        drawing = Drawing(given["sampler"], given["steps"], float(given["guidance"]))
        rows, label = range(given["n"]), CLASSES.index(given["label"])
        np.testing.assert_array_equal(images, alone(folder, "greys", rows, label, drawing, seed=given["seed"]))


def test_a_job_of_many_images_has_progress_and_its_own_steps(client, folder):
    given = {"inputs": {"n": 256, "seed": 2, "label": ["dark"], "steps": 5, "guidance": 2}}
    job = client.post("/v1/models/greys/jobs", json=given)
    assert job.status_code == 202, job.text
    with client.stream("GET", job.json()["links"]["events"]) as response:
        found = [each["done"] for each in events(response)]
    assert found[-1] == 256
    assert found == sorted(found)
    images = pictures(client.get(job.json()["links"]["result"]).json()["outputs"]["image"])
    np.testing.assert_array_equal(images, alone(folder, "greys", range(256), 0, Drawing("ddim", 5, 2.0), seed=2))


def test_the_document_and_the_model_say_how_it_draws(client):
    operation = client.get("/openapi.json").json()["paths"][DRAW]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert {
        "seed",
        "n",
        "label",
        "steps",
        "guidance",
        "sampler",
        "image",
        "mask",
        "stream",
        "previews",
    } <= schema.keys()
    said = client.get("/v1/models/greys").json()["denoising"]
    assert (said["drawing"], said["shape"]) == ({"sampler": "ddim", "steps": 4, "guidance": 1.5}, [1, SIZE, SIZE])
    assert client.get("/v1/models/tiny-classifier").json()["denoising"] is None
