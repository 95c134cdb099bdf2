"""A model with a second latent: left out it is the first one, or it is drawn by a seed of its own."""

import sys
from pathlib import Path

import httpx2
import numpy as np
import pytest
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parent))

import mixing_bundles

from torchworks.serving.app import create_app
from torchworks.serving.bundle import read_bundle
from torchworks.serving.client import Client, stub
from torchworks.serving.codecs import Codec
from torchworks.serving.errors import Refusal
from torchworks.serving.latents import draw
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError

PREDICT = "/v1/models/mixer/predict"


def drawn(seed: int, n: int) -> np.ndarray:
    return draw(seed, range(n), mixing_bundles.LAYERS, uniform=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return mixing_bundles.write(tmp_path_factory.mktemp("bundles") / "mixer")


@pytest.fixture(scope="module")
def codec(bundle):
    return Codec(read_bundle(bundle), Limits(rows=8))


@pytest.fixture(scope="module")
def service(bundle):
    settings = Settings()
    registry = Registry(settings)
    registry.add(ServedModel.load(bundle, settings))
    with TestClient(create_app(registry, settings), base_url="http://127.0.0.1") as made:
        yield made


def test_a_second_latent_is_the_first_unless_it_has_a_seed(codec):
    same = codec.from_values({"seed": 3, "n": 2})
    np.testing.assert_array_equal(same["latent"], drawn(3, 2))
    np.testing.assert_array_equal(same["fine"], same["latent"])
    assert same["crossover"].tolist() == [2, 2]
    mixed = codec.from_values({"seed": 3, "n": 2, "fine_seed": 5, "crossover": 1})
    np.testing.assert_array_equal(mixed["latent"], drawn(3, 2))
    np.testing.assert_array_equal(mixed["fine"], drawn(5, 2))
    assert mixed["crossover"].tolist() == [1, 1]
    swept = codec.from_values({"fine_seed": 5, "crossover": [0, 1, 2]})
    assert swept["latent"].shape == swept["fine"].shape == (3, 4)


def test_latents_that_are_given_may_be_mixed_with_drawn_ones(codec):
    rows = np.ones((2, 4)).tolist()
    assert (codec.from_values({"latent": rows})["fine"] == 1).all()
    mixed = codec.from_values({"latent": rows, "fine_seed": 5})
    np.testing.assert_array_equal(mixed["fine"], drawn(5, 2))
    other = codec.from_values({"fine": rows[:1], "seed": 3, "n": 2})
    np.testing.assert_array_equal(other["latent"], drawn(3, 2))
    assert (other["fine"] == 1).all()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"fine_seed": -1}, "'fine_seed' must be a whole number"),
        (
            {"fine_seed": 1, "fine": [[0, 0, 0, 0]]},
            "'fine_seed' draws 'fine', which is given: leave out one of the two",
        ),
        ({"fine_sed": 1}, "no such input.*latent, truncation, fine, crossover, seed, n, fine_seed"),
        ({"crossover": 5}, "'crossover' must be at most 4"),
        ({"latent": [[[0]]], "fine_seed": 1}, "must have the shape"),
        ({"latent": np.zeros((9, 4)).tolist(), "fine_seed": 1}, "more rows than the 8"),
    ],
)
def test_what_does_not_fit_is_refused(codec, given, told):
    with pytest.raises(Refusal, match=told):
        codec.from_values(given)


def test_the_service_says_how_a_second_latent_is_drawn_and_draws_it(service):
    document = service.get("/openapi.json").json()
    body = document["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]["schema"]
    drawing, given = body["properties"]["inputs"]["anyOf"]
    assert drawing["required"] == []
    assert given["required"] == ["latent"]
    assert {"seed", "n", "fine", "fine_seed"} <= drawing["properties"].keys()
    page = service.get("/docs")
    assert "fine_seed draws it" in page.text

    def answer(**given) -> list:
        return service.post(PREDICT, json={"inputs": {"seed": 3, "n": 2, **given}}).json()["outputs"]["image"]

    assert answer() == answer(crossover=0) == answer(fine_seed=3)
    assert answer(fine_seed=5, crossover=4) == answer()
    assert answer(fine_seed=5, crossover=0) == answer(seed=5)
    assert answer(fine_seed=5, crossover=2) not in (answer(), answer(seed=5))
    assert len(set(answer(truncation=0))) == 1


def test_the_client_mixes(service):
    def forward(request: httpx2.Request) -> httpx2.Response:
        answer = service.request(request.method, request.url.path, content=request.content, headers=request.headers)
        return httpx2.Response(answer.status_code, content=answer.content, headers=answer.headers)

    with Client("http://127.0.0.1", transport=httpx2.MockTransport(forward)) as client:
        model = client.model("mixer")

        def images(**given) -> list:
            return [np.asarray(image).tolist() for image in model.predict(**given)]

        assert images(seed=3, n=2, fine_seed=5, crossover=0) == images(seed=5, n=2)
        given = images(latent=drawn(3, 2))
        assert given == images(latent=drawn(3, 2), fine_seed=5, crossover=4, n=2) == images(seed=3, n=2)
        assert images(latent=drawn(3, 2), fine=drawn(5, 2), crossover=0, n=2) == images(seed=5, n=2)
        with pytest.raises(UserError, match="'fine_seed' draws 'fine', which is given"):
            model.predict(fine=drawn(5, 2), fine_seed=5)
        with pytest.raises(UserError, match="none is left out"):
            model.predict(latent=drawn(3, 2), seed=3)


def test_a_written_class_names_the_seed(bundle):
    source = stub(read_bundle(bundle))
    assert "fine: ndarray | None = None" in source
    assert "fine_seed: int | None = None" in source
    compile(source, "mixer", "exec")
