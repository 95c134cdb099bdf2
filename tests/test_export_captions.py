"""A model that describes images becomes a bundle whose service answers what `hybrid-multimodal caption` prints."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.hybrid_multimodal", reason="needs the package that trains these nets")

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.cli import main

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
TINY = [
    "--data", "digit-scenes:objects=1,train=64,test=8", "--steps", "30", "--trainer.batch-size", "16",
    "--net.embed-dim", "8", "--net.hidden-dim", "16", "--net.attention-dim", "8", "--net.width", "16",
    "--loader.image-size", "32", "--precision", "fp32",
]  # fmt: skip


def run(*words: object) -> str:
    """What is printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main("hybrid-multimodal", "caption", COMMANDS, [str(word) for word in words]) == 0
    return out.getvalue()


def served(run: Path, **options) -> TestClient:
    settings = Export(run, seconds=0, **options)
    export(settings)
    registry = Registry(Settings())
    registry.add(ServedModel.load(open_bundle(folder_of(settings)), Settings()))
    return TestClient(create_app(registry, Settings()))


@pytest.mark.slow
def test_a_service_describes_images_as_the_command_does(tmp_path):
    """By beam search, all steps in the graph; one image and several in a request."""
    run("train", "caption", "--out", tmp_path / "run", *TINY)
    images = [tmp_path / f"{i}.png" for i in range(3)]
    for i, file in enumerate(images):
        pixels = np.random.default_rng(i).integers(0, 255, (50, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
    wanted = [line.split("  ")[1] for line in run("caption", tmp_path / "run", *images).splitlines()]
    with served(tmp_path / "run", format="onnx") as client:
        address = "/v1/models/caption/predict"
        alone = client.post(address, content=images[0].read_bytes(), headers={"content-type": "image/png"})
        assert alone.status_code == 200, alone.text
        assert alone.json()["outputs"]["caption"] == [wanted[0]]
        parts = [("image", (file.name, file.read_bytes(), "image/png")) for file in images]
        together = client.post(address, files=parts).json()["outputs"]
        assert together["caption"] == wanted
        assert np.array(together["maps"]).shape == (3, 4, 4, 4)
        broken = client.post(address, content=b"no image", headers={"content-type": "image/png"})
        assert 400 <= broken.status_code < 500
