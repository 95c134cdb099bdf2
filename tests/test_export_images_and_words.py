"""CLIP and question answering as they are served: image and text in one request, vectors of either, classes that
sentences name, images that a sentence finds; what does not fit is refused, and exports answer as the trained models."""

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
from torchworks.hybrid_multimodal.contrastive.metrics import PROMPTS
from torchworks.hybrid_multimodal.data.scene_questions import ANSWERS
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
    "--net.widths", 8, 16, "--net.blocks", 0, "--loader.image-size", 32, "--trainer.batch-size", 8, "--steps", 4,
    "--precision", "fp32", "--valid-fraction", 0.2,
)  # fmt: skip
CLIP = ("--net.embed-dim", 16, "--net.text-width", 16, "--net.text-depth", 1, "--net.num-heads", 2)
SCENES = "digit-scenes:train=40,test=12"
QUESTION, SENTENCE = "what color is the seven?", "a red seven"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Small models of few steps: `clip`, with its encoders in `clip/image` and `clip/text`, `search`, which finds
    12 of 24 scenes, and `vqa`."""
    folder = tmp_path_factory.mktemp("runs")
    clip = ("clip", "--data", SCENES, *CLIP)
    search = ("search", folder / "clip", SCENES, SENTENCE, "--save", folder / "search")
    vqa = ("vqa", "--data", "scene-questions:train=40,test=12", "--net.width", 16)
    commands = (["train", *words, *SMALL, "--out", folder / words[0]] for words in (clip, vqa))
    for command in (*commands, search):
        assert main("hybrid-multimodal", "clip", COMMANDS, [str(word) for word in command]) == 0
    return folder


def bundle_of(run: Path) -> Path:
    settings = Export(run, seconds=0, name="m")
    if not folder_of(settings).exists():
        export(settings)
    return folder_of(settings)


@pytest.fixture(scope="module")
def clients(runs):
    """A service of each model, under the name `m`."""

    def served(run: Path) -> TestClient:
        registry = Registry(Settings())
        registry.add(ServedModel.load(open_bundle(bundle_of(run)), Settings()))
        return TestClient(create_app(registry, Settings()))

    places = {"clip": "clip", "image": "clip/image", "text": "clip/text", "search": "search", "vqa": "vqa"}
    return {name: served(runs / place) for name, place in places.items()}


def png(color: str = "red", size: int = 40) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), color).save(file, "PNG")
    return file.getvalue()


PREDICT = "/v1/models/m/predict"


def test_a_picture_and_a_question_go_in_one_form_and_an_answer_comes_out(clients):
    answer = clients["vqa"].post(PREDICT, files={"image": ("a.png", png(), "image/png")}, data={"question": QUESTION})
    assert answer.status_code == 200, answer.text
    said = answer.json()["outputs"]["answer"][0]
    assert said["label"] == max(said["probabilities"], key=said["probabilities"].get)
    assert set(said["probabilities"]) == set(ANSWERS)
    about = clients["vqa"].get("/v1/models/m").json()
    assert [each["kind"] for each in about["signature"]["inputs"]] == ["image", "text"]


@pytest.mark.parametrize(
    ("files", "data", "said"),
    [
        ({}, {"question": QUESTION}, "image"),
        ({"image": ("a.png", png(), "image/png")}, {}, "question"),
        ({"image": ("a.png", b"no image", "image/png")}, {"question": QUESTION}, ""),
        ({"image": ("a.png", png(), "image/png")}, {"question": " "}, "question"),
        ({"image": ("a.png", png(), "image/png")}, {"question": "what " * 200}, "T may be"),
    ],
    ids=["no image", "no question", "no picture", "nothing asked", "too long"],
)
def test_what_does_not_fit_is_refused_with_the_reason(clients, files, data, said):
    answer = clients["vqa"].post(PREDICT, files=files, data=data) if files else clients["vqa"].post(PREDICT, json=data)
    assert 400 <= answer.status_code < 500, answer.text
    assert said in answer.json()["error"]["message"]


def test_unknown_words_are_answered_and_named(clients):
    files, data = {"image": ("a.png", png(), "image/png")}, {"question": "what flavor is the seven?"}
    answer = clients["vqa"].post(PREDICT, files=files, data=data).json()
    assert "flavor" in " ".join(answer["warnings"])


def test_both_encoders_give_vectors_of_one_space_and_sentences_name_classes(clients):
    image = clients["image"].post(PREDICT, content=png(), headers={"Content-Type": "image/png"}).json()
    text = clients["text"].post(PREDICT, json={"text": ["a red seven", "a blue one above a red two"]}).json()
    vector, rows = torch.tensor(image["outputs"]["vector"]), torch.tensor(text["outputs"]["vector"])
    assert vector.shape[-1] == rows.shape[-1] == 16
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(2), rtol=1e-4, atol=1e-4)
    classes = clients["clip"].post(PREDICT, content=png(), headers={"Content-Type": "image/png"})
    assert classes.status_code == 200, classes.text
    said = classes.json()["outputs"]["probability"][0]
    assert set(said["probabilities"]) == set(PROMPTS)
    assert sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_a_sentence_finds_images_which_the_answer_shows(clients):
    outputs = clients["search"].post(PREDICT, json={"text": [SENTENCE, "a blue one"]}).json()["outputs"]
    for found, files in zip(outputs["found"], outputs["image"], strict=True):
        assert len({each["label"] for each in found}) == 12
        scores = [each["score"] for each in found]
        assert scores == sorted(scores, reverse=True)
        assert all(each["title"] for each in found)  # a scene's caption
        sizes = {Image.open(io.BytesIO(base64.b64decode(file))).size for file in files}
        assert (len(files), sizes) == (12, {(32, 32)})
    schema = clients["search"].get("/openapi.json").json()
    assert "image/png" in str(schema["paths"][PREDICT])


@torch.no_grad()
@pytest.mark.parametrize("place", ["clip", "clip/image", "clip/text", "search", "vqa"])
def test_exports_answer_as_trained_for_any_number_of_rows_and_words(runs, place):
    predictor, engine = load_predictor(runs / place), open_engine(open_bundle(bundle_of(runs / place)))
    most = predictor.signature.most.get("T", 1)
    for rows in (1, 3):
        for length in (1, most // 2 or 1, most):
            inputs = {spec.name: _given(spec, rows, length) for spec in predictor.signature.inputs}
            found = engine.run({name: value.numpy() for name, value in inputs.items()})
            for name, expected in predictor.predict(inputs).items():
                torch.testing.assert_close(torch.from_numpy(found[name]), expected, rtol=0, atol=1e-5)


def _given(spec, rows: int, length: int) -> Tensor:
    generator = torch.Generator().manual_seed(rows + length)
    shape = [{"N": rows, "T": length}.get(size, size) for size in spec.shape]
    low = 2 if spec.kind == "text" else 0
    return torch.randint(low, int(spec.high), shape, generator=generator).to(getattr(torch, spec.dtype))
