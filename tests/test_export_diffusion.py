"""A diffusion model becomes a bundle of one step, by which a service draws what the commands draw."""

import base64
import contextlib
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.diffusion", reason="needs the package that trains these nets")

from torchworks.diffusion.commands import COMMANDS
from torchworks.diffusion.images.predictor import build_images, predictor_config
from torchworks.diffusion.images.sample import to_bytes
from torchworks.diffusion.models.config import UNetConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.restore.commands import Inpaint
from torchworks.diffusion.restore.use import Tool, inpainted
from torchworks.diffusion.text2image.predictor import open_prompt_drawer
from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.cli import main
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import load_predictor, save_model
from torchworks.shared.numbers.stream import sample_normal

# the exporters warn of what they do themselves
WARNS = ("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings(*WARNS)]
TINY = [
    "--loader.image-size", 16, "--trainer.steps", 4, "--trainer.batch-size", 8, "--trainer.eval-every", 0,
    "--trainer.device", "cpu", "--trainer.precision", "fp32", "--net.widths", 8, 16,
]  # fmt: skip


def diffusion(*words: object) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        assert main("diffusion", default="flow", commands=COMMANDS, arguments=[str(word) for word in words]) == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of a recipe, trained for a moment when it is first asked for."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))

        def run(recipe: str) -> Path:
            if not (folder / recipe).exists():
                diffusion("train", recipe, "--out", folder / recipe, *TINY)
            return folder / recipe

        yield run


@pytest.fixture(scope="module")
def bundle(trained):
    """A run's bundle."""

    def made(recipe: str) -> Path:
        settings = Export(trained(recipe), name=recipe, seconds=0)
        if not folder_of(settings).exists():
            export(settings)
        return folder_of(settings)

    return made


@pytest.fixture(scope="module")
def client(bundle):
    registry = Registry(Settings())
    registry.add(ServedModel.load(open_bundle(bundle("flow")), Settings()))
    with TestClient(create_app(registry, Settings())) as made:
        yield made


def drawn(client: TestClient, **asked) -> np.ndarray:
    response = client.post("/v1/models/flow/draw", json=asked)
    assert response.status_code == 200, response.text
    return decoded(response.json()["outputs"]["image"])


def decoded(images: list[str]) -> np.ndarray:
    return np.stack([np.array(Image.open(io.BytesIO(base64.b64decode(each)))) for each in images])


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def apart(found: np.ndarray, wanted: np.ndarray) -> int:
    """In steps of a pixel's value."""
    assert found.shape == wanted.shape
    return int(np.abs(found.astype(int) - wanted).max())


@pytest.mark.parametrize("recipe", ["flow", *[pytest.param(name, marks=pytest.mark.long) for name in ("ddpm", "edm")]])
def test_a_bundle_draws_what_the_trained_model_draws(trained, bundle, recipe):
    """At 1, 3 and 5 rows; float32, drawn by two loops."""
    made = open_bundle(bundle(recipe))
    engine, predictor = open_engine(made), load_predictor(trained(recipe))
    options = {spec.name: spec for spec in made.manifest.signature.inputs if spec.default is not None}
    for rows in (1, 3, 5):
        inputs = {"latent": sample_normal(rows, range(rows), 256)}
        if recipe != "ddpm":  # which has no classes
            inputs["label"] = torch.arange(rows) * 2
        wanted = predictor.predict(inputs)["image"].numpy()
        arrays = {name: value.numpy() for name, value in inputs.items()}
        arrays |= {name: np.full(rows, spec.default, spec.dtype) for name, spec in options.items()}
        np.testing.assert_allclose(engine.run(arrays)["image"], wanted, rtol=1e-4, atol=1e-4)


def test_the_step_is_exported_twice_alike(trained, bundle, tmp_path):
    again = tmp_path / "again"
    export(Export(trained("flow"), name="flow", out=again, seconds=0))
    assert (bundle("flow") / "model.onnx").read_bytes() == (again / "model.onnx").read_bytes()


@pytest.mark.parametrize("form", ["safetensors", "torchscript", "pt2"])
def test_every_format_draws(trained, tmp_path, form):
    """An export compares with the trained model, and fails where they differ."""
    export(Export(trained("flow"), out=tmp_path / form, format=form, seconds=0))
    assert open_bundle(tmp_path / form).manifest.denoising is not None


@pytest.mark.parametrize(
    "words", [{}, {"steps": 3, "sampler": "ab2"}, {"steps": 5, "guidance": 3.0}, {"steps": 2, "sampler": "heun"}]
)
def test_a_service_draws_what_sample_draws(trained, client, tmp_path, words):
    options = [word for name, value in words.items() for word in (f"--{name}", value)] + ["--out", tmp_path]
    labels = ["3", "7"]
    diffusion("sample", trained("flow"), "--n", 4, "--seed", 9, "--labels", *labels, "--files", "--no-grid", *options)
    wanted = np.stack([read(path) for path in sorted(tmp_path.glob("*.png"))])
    assert apart(drawn(client, n=4, seed=9, label=labels * 2, **words), wanted) <= 1
    assert apart(drawn(client, n=1, seed=9, label="3", **words), wanted[:1]) <= 1
    asked = {"inputs": {"n": 3, "seed": 9, "label": ["3", "7", "3"], **words}}
    predicted = client.post("/v1/models/flow/predict", json=asked).json()["outputs"]["image"]
    assert apart(decoded(predicted), wanted[:3]) <= 1


def test_a_service_fills_a_hole_as_inpaint_does(trained, client, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (16, 16)).astype(np.uint8)
    mask = np.zeros((16, 16), np.uint8)
    mask[4:11, 5:12] = 255
    given = {}
    for name, values in (("image", image), ("mask", mask)):
        Image.fromarray(values).save(tmp_path / f"{name}.png")
        given[name] = base64.b64encode((tmp_path / f"{name}.png").read_bytes()).decode()
    tool = Tool.of(Inpaint(trained("flow"), tmp_path / "image.png", label="5", n=3, seed=4, device="cpu"))
    wanted = inpainted(tool, torch.from_numpy(image)[None], torch.from_numpy(mask > 0)[None, None], 3)
    found = drawn(client, n=3, seed=4, label="5", **given)
    assert apart(found, wanted[:, 0].numpy()) <= 1
    assert (found[:, mask == 0] == image[mask == 0]).all()


def test_a_service_draws_what_a_prompt_says(tmp_path):
    """As `sample --prompt` does; two prompts of different lengths share a request."""
    sizes = [
        "--net.widths",
        8,
        16,
        "--net.head-dim",
        8,
        "--text.embed-dim",
        16,
        "--text.depth",
        1,
        "--text.num-heads",
        2,
    ]
    words = ["--data", "shapes:train=64,test=20", "--steps", 2, "--trainer.batch-size", 8, "--precision", "fp32"]
    diffusion("train", "text2image", *sizes, *words, "--sampling.steps", 3, "--drawn", 4, "--out", tmp_path / "run")
    prompts = ["a red circle left of a blue square", "a red circle"]
    settings = Export(tmp_path / "run", name="scenes", seconds=0)
    export(settings)
    registry = Registry(Settings())
    registry.add(ServedModel.load(open_bundle(folder_of(settings)), Settings()))
    with TestClient(create_app(registry, Settings())) as client:
        response = client.post("/v1/models/scenes/draw", json={"text": prompts, "seed": 3, "n": 2, "guidance": 2.0})
        assert response.status_code == 200, response.text
    drawer = open_prompt_drawer(tmp_path / "run", "cpu")
    drawer = drawer.with_sampling(dataclasses.replace(drawer.sampling, guidance=2.0))
    wanted = to_bytes(drawer.draw(3, range(2), prompts)).permute(0, 2, 3, 1).numpy()
    assert apart(decoded(response.json()["outputs"]["image"]), wanted) <= 1


@pytest.mark.parametrize("options", [{"prune": 0.3}, {"quantize": "int8"}])
def test_what_there_is_not_for_diffusion_models_is_said(trained, options):
    with pytest.raises(UserError, match="A diffusion model asks its net many times"):
        export(Export(trained("flow"), seconds=0, **options))


@pytest.mark.long
def test_a_model_that_draws_in_one_piece_hardly_grows_with_its_steps(tmp_path, monkeypatch):
    """Its weights are in the file once, and no step brings lines of source files along."""
    sizes = {}
    monkeypatch.setattr("torchworks.diffusion.images.predictor.denoising_spec", lambda *_: None)
    for steps in (1, 3):
        sampling = SamplingConfig(sampler="euler", steps=steps, guidance=1.0)
        config = predictor_config(UNetConfig(widths=(8, 16)), ProcessConfig(), sampling, (1, 8, 8), ())
        save_model(
            tmp_path / f"run-{steps}", build_images(config), package="diffusion", recipe="whole",
            builder="diffusion-images", config=config, golden={"latent": sample_normal(0, range(2), 64)},
        )  # fmt: skip
        (tmp_path / f"run-{steps}" / "result.json").write_text("{}")
        made = tmp_path / f"bundle-{steps}"
        monkeypatch.setattr("torchworks.serving.export.bundling.check_finished", lambda run: None)
        export(Export(tmp_path / f"run-{steps}", out=made, seconds=0))
        sizes[steps] = (made / "model.onnx").stat().st_size
        assert open_bundle(made).manifest.denoising is None
    assert sizes[3] - sizes[1] < 2 * 40_000
