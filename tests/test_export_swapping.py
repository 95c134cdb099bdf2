"""A face swap, exported and served: an image file goes in, and what comes out bears both marks."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.gans", reason="needs the package that trains these nets")

from fastapi.testclient import TestClient

from torchworks.gans.data.face_drawing import draw_face
from torchworks.gans.data.face_numbers import Pose, person
from torchworks.gans.models.swapping_config import FaceSwapNet
from torchworks.gans.models.visible_mark import word
from torchworks.gans.swapping.marks import read_mark
from torchworks.gans.swapping.predictor import build_swapper, swapper_config
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.shared.models.predictor import load_predictor, save_model
from torchworks.shared.testing import randomize

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
PAYLOAD = 0xCAFE
HEIGHT, WIDTH = word().shape


def finished(folder: Path) -> Path:
    """A run with a model that was never trained."""
    net = FaceSwapNet(width=4, latent_dim=8)
    config = {**swapper_config(net, 64), "payload": PAYLOAD}
    predictor = build_swapper(config)
    randomize(predictor.net)
    images = torch.from_numpy(np.stack([draw_face(person(3), Pose(yaw=yaw), 64) for yaw in (-0.4, 0.3)]))
    save_model(
        folder, predictor, package="gans", recipe="face-swap", builder="gans-face-swap", config=config,
        preprocessing={"image": {"size": 64, "mode": "RGB", "range": [0, 255]}},
        golden={"image": images, "person": torch.tensor([1, 0])}, tolerance=0.02,
    )  # fmt: skip
    return folder


def face_file() -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw_face(person(3), Pose(smile=1), 96).transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()


def check_marks(image: np.ndarray) -> None:
    """Of (3, 64, 64) in [0, 1]."""
    reading = read_mark(torch.from_numpy(image))
    assert (reading.found, reading.payload) == (True, PAYLOAD)
    assert (image[:, -HEIGHT:, :WIDTH][:, word().numpy() > 0] > 0.9).all()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "pt2"])
def test_the_exported_swap_answers_as_trained_and_marks_what_it_makes(tmp_path, form):
    run = finished(tmp_path / "run")
    settings = Export(run, format=form, seconds=0)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    engine = open_engine(bundle, trust_code=True)
    check_golden(bundle, engine)
    trained = load_predictor(run)
    for rows in (1, 3, 5):
        images = torch.randint(0, 256, (rows, 3, 64, 64), dtype=torch.uint8)
        to = torch.arange(rows) % 2
        found = engine.run({"image": images.numpy(), "person": to.numpy()})["image"]
        np.testing.assert_allclose(found, trained(images, to).detach().numpy(), rtol=0, atol=0.02)
        for image in found:
            check_marks(image)


@pytest.mark.slow
def test_a_service_takes_an_image_file_and_gives_a_marked_one(tmp_path):
    from torchworks.serving.app import create_app
    from torchworks.serving.limits import Settings
    from torchworks.serving.registry import Registry
    from torchworks.serving.served import ServedModel

    settings = Export(finished(tmp_path / "run"), seconds=0)
    export(settings)
    registry = Registry(Settings())
    registry.add(ServedModel.load(open_bundle(folder_of(settings)), Settings()))
    with TestClient(create_app(registry, Settings())) as client:
        address = "/v1/models/face-swap/predict"
        answered = {}
        for to in (None, "A", "B"):
            data = {} if to is None else {"person": to}
            found = client.post(address, files={"image": face_file()}, data=data, headers={"Accept": "image/png"})
            assert found.status_code == 200, found.text
            with Image.open(io.BytesIO(found.content)) as image:
                answered[to] = np.array(image.convert("RGB")).transpose(2, 0, 1).astype(np.float32) / 255
            check_marks(answered[to])
        assert (answered[None] == answered["B"]).all()
        assert (answered["A"] != answered["B"]).any()
