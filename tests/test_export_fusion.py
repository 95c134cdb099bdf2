"""Fusion as it is served: an image, a line of numbers, categories by name and switches in one request, any of which may
be left out; what does not fit is refused, and exports answer as the trained models."""

import base64
import io
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image
from torch import Tensor

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.hybrid_multimodal", reason="needs the package that trains these nets")

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import load_predictor

pytestmark = [
    pytest.mark.slow,
    # the exporters warn of what they do themselves
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]
SMALL = ("--trainer.batch-size", 8, "--steps", 4, "--precision", "fp32")
LEAD = ("--data", "lead:train=60,test=12", "--net.widths", 8, 8, 8, 8, "--net.width", 8)
PRICE = ("--data", "price:train=60,test=12", "--net.widths", 8, 8, "--net.width", 16, "--net.components", 2)
PREDICT = "/v1/models/m/predict"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Small models of few steps."""
    folder = tmp_path_factory.mktemp("runs")
    for recipe, words in (("lead", LEAD), ("price", PRICE)):
        command = ["train", recipe, *words, *SMALL, "--out", folder / recipe]
        assert main("hybrid-multimodal", "lead", COMMANDS, [str(word) for word in command]) == 0
        export(Export(folder / recipe, seconds=0, name="m"))
    return folder


def bundle_of(run: Path) -> Path:
    return folder_of(Export(run, seconds=0, name="m"))


@pytest.fixture(scope="module")
def clients(runs):
    """A service of each model, under the name `m`."""

    def served(run: Path) -> TestClient:
        registry = Registry(Settings())
        registry.add(ServedModel.load(open_bundle(bundle_of(run)), Settings()))
        return TestClient(create_app(registry, Settings()))

    return {name: served(runs / name) for name in ("lead", "price")}


def png(size: tuple[int, int] = (64, 32), color: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def asked(client: TestClient, **inputs) -> dict:
    answer = client.post(PREDICT, json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    return answer.json()["outputs"]


CAMERA, RANGE = base64.b64encode(png()).decode(), [[5.0] * 64]


def test_two_sensors_go_in_one_request_and_either_may_be_left_out(clients):
    client = clients["lead"]
    for inputs in ({"camera": CAMERA, "range": RANGE}, {"camera": CAMERA}, {"range": RANGE}, {}):
        found = asked(client, **inputs)
        assert found["low"][0] <= found["distance"][0] <= found["high"][0]
        assert sum(found["bearing"][0]) == pytest.approx(1, abs=1e-4)
    dark = asked(client, camera=CAMERA, range=RANGE, use_camera=[0])
    assert dark == asked(client, range=RANGE) == asked(client, range=RANGE, camera=None)


def test_an_image_that_is_not_square_becomes_the_pixels_of_the_model(clients):
    pixels = [[[[level] * 64] * 32 for level in (255, 0, 0)]]
    assert asked(clients["lead"], camera=pixels) == asked(clients["lead"], camera=CAMERA)
    wide = base64.b64encode(png((200, 100))).decode()
    assert asked(clients["lead"], camera=wide) == asked(clients["lead"], camera=CAMERA)


def test_a_row_of_a_table_goes_in_as_a_form_or_as_json_with_categories_by_name(clients):
    client, row = clients["price"], {"unit": "dozen", "rate": 2.5, "discount": 0.1, "day": "sun"}
    form = client.post(
        PREDICT, files={"image": ("a.png", png((40, 40)), "image/png")}, data={k: str(v) for k, v in row.items()}
    )
    assert form.status_code == 200, form.text
    picture = base64.b64encode(png((40, 40))).decode()
    assert form.json()["outputs"] == asked(client, image=picture, **row)
    assert asked(client, **row, shop="?") == asked(client, **row)


def test_rows_may_have_gaps_which_are_null(clients):
    client, picture = clients["price"], base64.b64encode(png((40, 40))).decode()
    both = asked(client, image=[picture, None], rate=[None, 2.5], unit=["pair", None])
    for row, alone in enumerate((asked(client, image=picture, unit="pair"), asked(client, rate=2.5))):
        assert both["answer"][row] == pytest.approx(alone["answer"][0], rel=1e-4)


@pytest.mark.parametrize(
    ("name", "inputs", "said"),
    [
        ("lead", {"range": [[1.0] * 63]}, "must have the shape"),
        ("lead", {"range": [[-1.0] * 64]}, "at least 0"),
        ("lead", {"camera": "no image"}, ""),
        ("lead", {"use_camera": [2]}, "at most 1"),
        ("price", {"unit": "crate"}, "does not know"),
        ("price", {"rate": ["much"]}, "float32"),
        ("price", {"rates": 2.5}, "no such input"),
        ("price", {"rate": [1.0, 2.0], "discount": [0.1]}, "with N ="),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(clients, name, inputs, said):
    answer = clients[name].post(PREDICT, json={"inputs": inputs})
    assert 400 <= answer.status_code < 500, answer.text
    assert said in answer.json()["error"]["message"]


@torch.no_grad()
@pytest.mark.parametrize("name", ["lead", "price"])
def test_exports_answer_as_trained_for_any_number_of_rows(runs, name):
    predictor, engine = load_predictor(runs / name), open_engine(open_bundle(bundle_of(runs / name)))
    for rows in (1, 2, 5):
        inputs = {spec.name: _given(spec, rows) for spec in predictor.signature.inputs}
        found = engine.run({key: value.numpy() for key, value in inputs.items()})
        for spec, expected in zip(predictor.signature.outputs, predictor(*inputs.values()), strict=True):
            torch.testing.assert_close(torch.from_numpy(found[spec.name]), expected, rtol=1e-4, atol=1e-3)


def _given(spec, rows: int) -> Tensor:
    """Random values, of which the last row is missing."""
    generator = torch.Generator().manual_seed(rows)
    shape = (rows, *spec.shape[1:])
    if spec.dtype == "float32":
        values = torch.rand(shape, generator=generator) * 20
    else:
        values = torch.randint(0, int(spec.high) + 1, shape, generator=generator).to(getattr(torch, spec.dtype))
    if spec.name not in ("use_camera", "use_range") and rows > 1:
        values[-1] = spec.default
    return values
