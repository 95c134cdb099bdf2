"""Nets that name what happens in films, exported: they answer as trained for films of several lengths, a service takes
film files, and the page shows their frames."""

import io
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.hybrid_multimodal", reason="needs the package that trains these nets")

from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.data.actions import ACTIONS
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
SMALL = (
    "--data", "actions:train=40,test=12", "--loader.frames", 4, "--loader.image-size", 16, "--net.widths", 8, 16,
    "--net.width", 16, "--net.depth", 1, "--trainer.batch-size", 8, "--precision", "fp32", "--steps", 2,
    "--valid-fraction", 0.2,
)  # fmt: skip
FREE = {"action": True, "action-lstm": False, "action-transformer": False}
"""Whether films may have any number of frames."""


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Of a small model of few steps of each recipe: the run and its bundle."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def of(recipe: str) -> tuple[Path, Path]:
        if recipe not in made:
            words = ["train", recipe, *SMALL, "--out", folder / recipe]
            assert main("hybrid-multimodal", "action", COMMANDS, [str(word) for word in words]) == 0
            settings = Export(folder / recipe, seconds=0, name="m")
            export(settings)
            made[recipe] = folder / recipe, folder_of(settings)
        return made[recipe]

    return of


@pytest.mark.parametrize("recipe", FREE)
def test_exports_answer_as_trained_for_one_film_and_several_of_any_length(bundles, recipe):
    run, bundle = bundles(recipe)
    predictor, engine = load_predictor(run), open_engine(open_bundle(bundle))
    for count in (1, 3):
        for frames in (1, 4, 9) if FREE[recipe] else (4,):
            films = torch.randint(0, 256, (count, frames, 1, 16, 16), dtype=torch.uint8)
            (found,) = engine.run({"film": films.numpy()}).values()
            with torch.no_grad():
                expected = predictor(films)
            torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=1e-5)


def gif(frames: int = 6) -> bytes:
    file = io.BytesIO()
    first, *others = [Image.new("L", (20, 16), 30 * number) for number in range(frames)]
    first.save(file, "GIF", save_all=True, append_images=others, duration=80)
    return file.getvalue()


def test_a_service_names_the_action_of_a_film_file(bundles):
    registry = Registry(Settings())
    registry.add(ServedModel.load(open_bundle(bundles("action")[1]), Settings()))
    with TestClient(create_app(registry, Settings()), base_url="http://localhost", client=("127.0.0.1", 1)) as client:
        address = "/v1/models/m/predict"
        answer = client.post(address, content=gif(), headers={"Content-Type": "image/gif"})
        assert answer.status_code == 200, answer.text
        assert set(answer.json()["outputs"]["action"][0]["probabilities"]) == set(ACTIONS)
        refused = client.post(address, content=gif()[:60], headers={"Content-Type": "image/gif"})
        assert 400 <= refused.status_code < 500
        assert "The film cannot be used" in refused.json()["error"]["message"]
