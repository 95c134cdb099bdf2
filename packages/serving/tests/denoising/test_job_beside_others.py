"""A job of many images beside requests of others: theirs are answered meanwhile, and it is as if each were alone."""

import io
import json
import zipfile

import numpy as np
from drawing_bundles import DRAW, alone, pictures
from PIL import Image
from processes import Service, until

from torchworks.shared.models.denoising import Drawing

JOB = {"inputs": {"n": 256, "seed": 2, "label": ["dark"], "steps": 100, "guidance": 2}}


def post(service: Service, path: str, body: object):
    return service.ask("POST", path, json.dumps(body).encode(), Content_Type="application/json")


def start(service: Service) -> str:
    """The address of a job that has begun."""
    made = post(service, "/v1/models/greys/jobs", JOB)
    assert made.status == 202, made.body
    path = f"/v1/jobs/{made.json()['job']}"
    until(lambda: service.ask("GET", path).json()["done"] > 0, "the job has begun")
    return path


def test_others_are_answered_while_a_job_draws_and_its_images_are_as_if_drawn_alone(service, folder):
    path = start(service)
    meanwhile, done = [], []
    while service.ask("GET", path).json()["state"] == "running":
        classified = service.predict("tiny-classifier", {"image": np.zeros((1, 1, 8, 8), int).tolist()})
        drawn = post(service, DRAW, {"label": "light", "seed": len(meanwhile)})
        meanwhile.append((classified.status, drawn.status, pictures(drawn.json()["outputs"]["image"])[0]))
        done.append(service.ask("GET", path).json()["done"])
    assert len(done) >= 4
    assert max(np.diff(done)) <= 32  # others need not wait for more than some parts of it
    for seed, (classified, drawn, image) in enumerate(meanwhile):
        assert (classified, drawn) == (200, 200)
        np.testing.assert_array_equal(image, alone(folder, "greys", range(1), 2, Drawing("ddim", 4, 1.5), seed)[0])

    wanted = alone(folder, "greys", range(256), 0, Drawing("ddim", 100, 2.0), seed=2)
    result = service.ask("GET", f"{path}/result").json()["outputs"]["image"]
    np.testing.assert_array_equal(pictures(result), wanted)
    files = zipfile.ZipFile(io.BytesIO(service.ask("GET", f"{path}/result", Accept="application/zip").body))
    assert files.namelist() == [f"{i:03}.png" for i in range(256)]
    np.testing.assert_array_equal(np.array(Image.open(files.open("197.png"))), wanted[197])


def test_a_job_that_is_cancelled_leaves_nothing_behind(service):
    until(lambda: service.metric("serving_in_flight_rows") == 0, "nothing else is drawn")
    threads = service.threads
    path = start(service)
    assert service.ask("DELETE", path).status == 200
    until(lambda: service.ask("GET", path).json()["state"] == "cancelled", "the job is cancelled")
    until(lambda: service.metric("serving_in_flight_rows") == 0, "nothing of it is drawn any more")
    until(lambda: service.threads <= threads, "its threads have ended")
    assert service.ask("GET", f"{path}/result").status == 409
    assert service.ask("DELETE", path).status == 200
    assert service.ask("GET", path).status == 404
    assert post(service, DRAW, {"label": "light"}).status == 200
