"""A run that generates text becomes a bundle that writes the same text, token for token, and serves it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torch_pruning", reason="exporting needs serving[export]")

sys.path.insert(0, str(Path(__file__).parents[4] / "shared" / "tests" / "models"))

from tiny_generators import GPT_SPEC, GRU_SPEC, tiny_gpt, tiny_gru

from torchworks.serving.app import create_app
from torchworks.serving.bundle import BUNDLE, PARITY, open_bundle
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export import bundling
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError
from torchworks.shared.models import predictor as predictors
from torchworks.shared.models.generation import greedy
from torchworks.shared.models.predictor import load_predictor, save_model
from torchworks.shared.text import ByteLevelBPE

TOKENIZER = ByteLevelBPE([])
TEXTS = ["to be or not", "that is the question", "whether", "it is nobler in the mind"]
BUILD = {
    "gpt": lambda seed=0: tiny_gpt(seed, replace(GPT_SPEC, max_tokens=8), len(TOKENIZER)),
    "gru": lambda seed=0: tiny_gru(seed, GRU_SPEC, len(TOKENIZER)),
}


@pytest.fixture(autouse=True)
def builders(monkeypatch):
    """As if a package offered them."""
    monkeypatch.setattr(predictors, "find_builder", lambda name, package: lambda config, files: BUILD[name](seed=1))


def run(folder: Path, name: str) -> Path:
    """A finished run, which kept some prompts."""
    rows = [torch.tensor(TOKENIZER.encode(text)) for text in TEXTS]
    text = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    prompts = {"text": text, "length": torch.tensor([len(row) for row in rows])}
    save_model(
        folder, BUILD[name](), package="tiny", recipe=f"tiny-{name}", builder=name, config={}, samples=prompts,
        golden={key: value[:2] for key, value in prompts.items()}, files={"tokenizer.json": TOKENIZER.to_json()},
        preprocessing={"text": {"tokenizer": "tokenizer.json"}},
    )  # fmt: skip
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILD)
def test_a_bundle_writes_what_the_trained_model_writes(tmp_path, name):
    settings = Export(run(tmp_path / "run", name), seconds=0)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    assert "of the tokens are those of the trained model" in (bundle.folder / PARITY).read_text()
    assert bundle.manifest.generation == BUILD[name]().generation
    assert {"tokenizer.json", "model.onnx"} <= {entry.name for entry in bundle.manifest.files}
    served = ServedModel.load(bundle, Settings(Limits(generate_rows=3)))
    registry = Registry(Settings())
    registry.add(served)
    asked = {"prompts": TEXTS, "max_tokens": 10, "temperature": 0}
    with TestClient(create_app(registry, Settings())) as client:
        texts = client.post(f"/v1/models/tiny-{name}/generate", json=asked).json()["texts"]
        logits = client.post(f"/v1/models/tiny-{name}/predict", json={"text": TEXTS[0]}).json()["outputs"]["logits"]
    trained = load_predictor(tmp_path / "run")
    for text, prompt in zip(texts, TEXTS, strict=True):
        ids = torch.tensor([TOKENIZER.encode(prompt)])
        wanted, _ = greedy(trained.advance, trained.generation, ids.numpy(), torch.tensor([ids.shape[1]]).numpy(), 10)
        assert text["text"] == TOKENIZER.decode(wanted[0])
    ids = torch.tensor([TOKENIZER.encode(TEXTS[0])])
    torch.testing.assert_close(torch.tensor(logits), trained.net(ids)[:, -1], rtol=1e-4, atol=1e-5)  # float32


@pytest.mark.parametrize("name", BUILD)
def test_the_weights_generate_too(tmp_path, name):
    settings = Export(run(tmp_path / "run", name), format="safetensors", seconds=0)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    assert check_golden(bundle, open_engine(bundle)) < 1e-6


def test_a_bundle_without_its_steps_is_refused(tmp_path):
    settings = Export(run(tmp_path / "run", "gru"), format="safetensors", seconds=0)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    values = json.loads((bundle.folder / BUNDLE).read_text())
    del values["generation"]
    (bundle.folder / BUNDLE).write_text(json.dumps(values))
    with pytest.raises((UserError, ValueError, TypeError)):  # its graph takes more than its signature says
        check_golden(open_bundle(bundle.folder), open_engine(open_bundle(bundle.folder)))


def test_an_export_that_writes_another_text_is_not_made(tmp_path, monkeypatch):
    convert = bundling.engine_of

    def other(work, predictor):
        engine = convert(work, predictor)
        advance = engine.advance

        def drifts(arrays):
            found = advance(arrays)
            later = arrays["past_length"] > 0
            found["logits"][later] = found["logits"][later][:, ::-1]  # its first answer is right, its steps are not
            return found

        engine.advance = drifts
        return engine

    monkeypatch.setattr(bundling, "engine_of", other)
    settings = Export(run(tmp_path / "run", "gpt"), format="safetensors", seconds=0)
    with pytest.raises(UserError, match=r"writes another text: after prompt 1 of 4, token 2 is"):
        export(settings)
    assert not folder_of(settings).exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [({"format": "torchscript"}, "is not exported as torchscript"), ({"prune": 0.3}, "it is not pruned")],
)
def test_what_there_is_not_for_generators_is_said(tmp_path, options, says):
    with pytest.raises(UserError, match=says):
        export(Export(run(tmp_path / "run", "gpt"), seconds=0, **options))
