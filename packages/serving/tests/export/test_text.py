"""A run that takes texts becomes a bundle with its tokenizer, and answers `{"text": "…"}` over HTTP."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torch_pruning", reason="exporting needs serving[export]")

from torchworks.serving.app import create_app
from torchworks.serving.bundle import open_bundle
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import save_model
from torchworks.shared.text import ByteLevelBPE

STRANGER = """
import torch
from torch import nn
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.text import from_json

class Moods(Predictor):
    "Tells glad from sad texts by the mean of their tokens' and positions' embeddings."
    most = {"T": 32}
    def __init__(self, config, files):
        size = len(from_json(files["tokenizer.json"]))
        net = nn.ModuleDict({"token": nn.Embedding(size, 8), "place": nn.Embedding(32, 8), "head": nn.Linear(8, 2)})
        inputs = (TensorSpec("text", "text", "int64", ("N", "T"), low=0, high=size - 1),)
        outputs = (TensorSpec("mood", "label", "float32", ("N", 2), 0, 1, ("sad", "glad")),)
        super().__init__(net, Signature(inputs, outputs, self.most))
    def mask(self, text):
        return (text != 0).float()[..., None]
    def forward(self, text):
        each = self.net["token"](text) + self.net["place"](torch.arange(text.shape[1]))
        mask = self.mask(text)
        return self.net["head"]((each * mask).sum(1) / mask.sum(1)).softmax(1)

class Endless(Moods):
    "Its signature does not say where its positions end."
    most = {}
    def forward(self, text):
        each = self.net["token"](text) + self.net["place"].weight[:text.shape[1]]
        return self.net["head"]((each * self.mask(text)).sum(1) / self.mask(text).sum(1)).softmax(1)

class Maskless(Moods):
    "Counts padding as text."
    def mask(self, text):
        return torch.ones_like(text).float()[..., None]

class Halving(Moods):
    "Cuts a batch in two by a function that takes its size for a number."
    def forward(self, text):
        return super().forward(torch.cat([text, text]).chunk(2)[0])
"""
TEXTS = ["what a glad and sunny day", "a sad and rainy day", "glad", "so sad, so very sad"] * 5


@pytest.fixture(scope="module", autouse=True)
def stranger(tmp_path_factory):
    """An installed package that offers builders, which take the tokenizer's file."""
    place = tmp_path_factory.mktemp("site")
    info = place / "moods-1.0.dist-info"
    info.mkdir()
    (place / "nets_for_moods.py").write_text(STRANGER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: moods\nVersion: 1.0\n")
    points = [f"{name.lower()} = nets_for_moods:{name}" for name in ("Moods", "Endless", "Maskless", "Halving")]
    (info / "entry_points.txt").write_text("\n".join(["[torchworks.builders]", *points]))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        yield


def run(folder: Path, kind: str = "Moods") -> Path:
    """A finished run whose model has learnt a little."""
    import nets_for_moods

    tokenizer = ByteLevelBPE.train(TEXTS, size=280)
    files = {"tokenizer.json": tokenizer.to_json()}
    torch.manual_seed(0)
    predictor = getattr(nets_for_moods, kind)({}, files)
    rows = [torch.tensor(tokenizer.encode(text)) for text in TEXTS]
    texts = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)[:, :32]
    moods = torch.tensor(["glad" in text for text in TEXTS]).long()
    optimizer = torch.optim.Adam(predictor.parameters(), lr=0.05)
    for _ in range(30):
        loss = torch.nn.functional.nll_loss(predictor(texts).log(), moods)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_model(
        folder, predictor, package="moods", recipe="moods", builder=kind.lower(), config={}, files=files,
        golden={"text": texts[:2]}, samples={"text": texts}, targets={"mood": moods}, labels=("sad", "glad"),
        preprocessing={"text": {"tokenizer": "tokenizer.json"}},
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("form", ["onnx", "safetensors"])
def test_a_run_that_takes_texts_answers_them_over_http(tmp_path, form):
    settings = Export(run(tmp_path / "run"), format=form, seconds=0.001)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    assert "tokenizer.json" in {entry.name for entry in bundle.manifest.files}
    served = ServedModel.load(bundle, Settings())
    registry = Registry(Settings())
    registry.add(served)
    with TestClient(create_app(registry, Settings())) as client:
        one = client.post("/v1/models/moods/predict", json={"text": TEXTS[0]}).json()["outputs"]["mood"]
        several = client.post("/v1/models/moods/predict", json={"text": [TEXTS[1], TEXTS[0], "g"]}).json()
        refused = client.post("/v1/models/moods/predict", json={"text": "day" * 100})
    assert one[0]["label"] == "glad"
    assert [row["label"] for row in several["outputs"]["mood"]][:2] == ["sad", "glad"]
    np.testing.assert_allclose(several["outputs"]["mood"][1]["probability"], one[0]["probability"], atol=1e-6)
    assert refused.status_code == 422
    assert "T may be 32 at most" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("Endless", r"all values of 'T' .*Not all values of T .*<= 32\. If T has a largest value.*most=\{\"T\": 32\}"),
        ("Halving", r"all values of 'N' .*Not all values of N .*The code fixes it, as len\(tensor\)"),
        ("Maskless", r"answers change with the padding behind a row: 'mood' differs by .*Mask the padding"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_the_reason_and_the_right_size(tmp_path, kind, sentence):
    with pytest.raises(UserError, match=sentence):
        export(Export(run(tmp_path / "run", kind), seconds=0.001))
