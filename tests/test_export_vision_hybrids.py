"""DETR and the classifiers of hybrid-multimodal as they are exported and served: the same answers as the net gives, for
any number of images, three sizes and numbers of queries, and as the commands print."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.hybrid_multimodal", reason="needs the package that trains these nets")

from torchworks.hybrid_multimodal.classification.predictor import BUILDER as CLASSIFIER
from torchworks.hybrid_multimodal.classification.predictor import build_classifier
from torchworks.hybrid_multimodal.commands import COMMANDS
from torchworks.hybrid_multimodal.detection.predictor import BUILDER as DETECTOR
from torchworks.hybrid_multimodal.detection.predictor import build_detr
from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.cli import main
from torchworks.shared.detection.use import detections
from torchworks.shared.inference.letterboxed import letterboxed
from torchworks.shared.models.predictor import save_model
from torchworks.shared.runs.opening import open_run

pytestmark = [
    pytest.mark.slow,
    # the exporters warn of what they do themselves
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]
PIXELS = {"channels": 3, "mean": [0.5] * 3, "std": [0.5] * 3}
NET = {"model": "conv", "attention": "gap", "widths": [8, 32], "depths": [1, 1], "kinds": "CT", "stem_width": 8}
NET |= {"blocks": 1, "parameters": 0}
DETR = {
    "size": "small", "widths": [8, 16], "depths": [1, 1], "width": 16, "num_heads": 2, "encoder_depth": 1,
    "decoder_depth": 2, "hidden": 16, "drop_rate": 0.0, "temperature": 20.0, "at_places": True,
}  # fmt: skip


def classifier(size: int, **net):
    config = {"net": NET | net, "classes": ["a", "b", "c"], "image_size": size, **PIXELS}
    return CLASSIFIER, config, build_classifier(config)


def detector(size: int, queries: int):
    config = {"net": DETR | {"queries": queries}, "classes": ["a", "b"], "image_size": size, **PIXELS}
    return DETECTOR, config, build_detr(config)


MODELS = {
    "detr 1": lambda: detector(32, 1),
    "detr 5": lambda: detector(48, 5),
    "detr 10": lambda: detector(64, 10),
    "cbam": lambda: classifier(32, attention="cbam"),
    "pool": lambda: classifier(48, attention="pool"),
    "coatnet": lambda: classifier(32, model="coatnet", widths=[32, 32]),
    "hybrid vit": lambda: classifier(64, model="hybrid-vit", widths=[32, 64]),
}

LONG = "detr 5", "cbam", "hybrid vit"
"""One export takes seconds: of models that are much like others, only the weekly tests try it."""


def bundle_of(run: Path) -> Path:
    settings = Export(run, seconds=0, name="m")
    if not folder_of(settings).exists():
        export(settings)
    return folder_of(settings)


@torch.no_grad()
@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.long] * (each in LONG)) for each in MODELS])
def test_exports_answer_as_the_net_for_any_number_of_images(name, tmp_path):
    torch.manual_seed(0)
    builder, config, predictor = MODELS[name]()
    shape = predictor.signature.inputs[0].shape[1:]
    images = torch.randint(0, 256, (6, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    save_model(
        tmp_path, predictor, package="hybrid-multimodal", recipe="untrained", builder=builder, config=config,
        golden={"image": images[:2]}, samples={"image": images},
        preprocessing={"image": {"size": shape[-1], "mode": "RGB"}},
    )  # fmt: skip
    engine = open_engine(open_bundle(bundle_of(tmp_path)))
    for rows in (1, 4):
        expected = predictor.eval().predict({"image": images[:rows]})
        found = engine.run({"image": images[:rows].numpy()})
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value.numpy(), rtol=0, atol=1e-3 if key == "boxes" else 1e-4)


# ------------------------------------------------------------------------------------------------------ service

SMALL = (
    "--net.widths", 8, 16, "--loader.image-size", 32, "--trainer.batch-size", 8, "--steps", 4, "--precision", "fp32",
    "--valid-fraction", 0.2,
)  # fmt: skip
TRAININGS = {
    "detr": (
        "detr", "--data", "digit-scenes:train=40,test=6", "--net.width", 16, "--net.num-heads", 2,
        "--net.decoder-depth", 2, "--net.hidden", 16,
    ),
    "attention": (
        "attention", "--data", "colored-digits:train=80,test=12", "--net.blocks", 1, "--net.parameters", 0,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Small models of few steps."""
    folder = tmp_path_factory.mktemp("runs")
    for name, words in TRAININGS.items():
        command = ["train", *words, *SMALL, "--out", folder / name]
        assert main("hybrid-multimodal", "detr", COMMANDS, [str(word) for word in command]) == 0
    return folder


def served(run: Path) -> TestClient:
    registry = Registry(Settings())
    registry.add(ServedModel.load(open_bundle(bundle_of(run)), Settings()))
    return TestClient(create_app(registry, Settings()))


def png(file: Path) -> bytes:
    """An image that is no square, which is written to `file` too."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(file)
    return file.read_bytes()


PREDICT, PNG = "/v1/models/m/predict", {"Content-Type": "image/png"}


def test_the_service_finds_the_objects_that_the_command_finds(runs, tmp_path):
    run = open_run(runs / "detr", "hybrid-multimodal", "cpu")
    sent = png(tmp_path / "a.png")
    found = detections(run, letterboxed(tmp_path / "a.png", run), 0.0)
    answer = served(runs / "detr").post(PREDICT, content=sent, headers=PNG)
    assert answer.status_code == 200, answer.text
    (objects,) = answer.json()["outputs"]["boxes"]
    assert len(objects) == len(found["scores"])
    for each, box, score in zip(objects, found["boxes"].tolist(), found["scores"].tolist(), strict=True):
        assert each["score"] == pytest.approx(score, abs=1e-4)
        assert each["box"] == pytest.approx(box, abs=0.1)


def test_the_service_names_the_class_that_the_command_names(runs, tmp_path, capsys):
    sent = png(tmp_path / "a.png")
    command = ["classify", str(runs / "attention"), str(tmp_path / "a.png"), "--top", "1"]
    assert main("hybrid-multimodal", "detr", COMMANDS, command) == 0
    printed = capsys.readouterr().out
    answer = served(runs / "attention").post(PREDICT, content=sent, headers=PNG)
    assert answer.status_code == 200, answer.text
    (said,) = answer.json()["outputs"]["probability"]
    assert f"{said['label']} {said['probabilities'][said['label']]:.1%}" in printed


def test_what_is_no_image_is_refused(runs):
    file = io.BytesIO(b"no image")
    for name in TRAININGS:
        answer = served(runs / name).post(PREDICT, content=file.getvalue(), headers=PNG)
        assert 400 <= answer.status_code < 500, answer.text
