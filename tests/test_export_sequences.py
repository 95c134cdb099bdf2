"""Every form of bundle × recurrent nets, which read texts of any length: works with parity at three lengths, or is
refused with the reason."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.seq_models", reason="needs the package that trains these nets")

from torchworks.seq_models.models.recurrent_classifier import RecurrentClassifier
from torchworks.serving.bundle import open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.export import speed
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.shared.models import predictor as predict
from torchworks.shared.models.predictor import Predictor, save_model
from torchworks.shared.models.signature import Signature, TensorSpec

# the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
VOCABULARY, CLASSES = 30, 3


class Classes(Predictor):
    """tokens (N, T), padded with 0 → probability (N, K)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(inputs[0]).float().softmax(1)


def classifier(kind: str) -> Predictor:
    net = RecurrentClassifier(VOCABULARY, CLASSES, kind=kind, embed_dim=6, hidden_dim=8, depth=1)
    tokens = TensorSpec("tokens", "tokens", "int64", ("N", "T"), low=0, high=VOCABULARY - 1, pad=0)
    probability = TensorSpec("probability", "probabilities", "float32", ("N", CLASSES), low=0, high=1)
    return Classes(net, Signature((tokens,), (probability,), most={"T": 20})).eval()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch):
    """Untrained models, whose builder no package offers, and hardly any measuring of speed."""
    monkeypatch.setattr(predict, "find_builder", lambda name, package: lambda config: classifier(config["kind"]))
    monkeypatch.setattr(speed, "LEAST", 1)
    monkeypatch.setattr(speed, "WARM_UP", 0)


def some_tokens(rows: int, length: int) -> Tensor:
    """The last row is half padding."""
    tokens = torch.randint(1, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(length))
    tokens[-1, (length + 1) // 2 :] = 0
    return tokens


def finished(folder: Path, kind: str) -> tuple[Path, Predictor]:
    torch.manual_seed(0)
    predictor, samples = classifier(kind), {"tokens": some_tokens(6, 7)}
    save_model(
        folder, predictor, package="seq-models", recipe="untrained", builder="untrained", config={"kind": kind},
        golden={name: value[:2] for name, value in samples.items()}, samples=samples,
    )  # fmt: skip
    return folder, predictor


FORMS = ("onnx", "safetensors", "pt2", "torchscript")
SHORT = {("lstm", "onnx"), ("rnn", "onnx"), ("gru", "torchscript"), ("gru", "pt2")}
EACH = [
    pytest.param(kind, form, marks=pytest.mark.slow if (kind, form) in SHORT else pytest.mark.long, id=f"{kind}-{form}")
    for kind in ("rnn", "lstm", "gru")
    for form in FORMS
]


@pytest.mark.parametrize(("kind", "form"), EACH)
def test_every_kind_in_every_form_reads_texts_of_any_length(tmp_path: Path, kind: str, form: Any):
    run, predictor = finished(tmp_path / "run", kind)
    settings = Export(run, seconds=0, format=form)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    engine = open_engine(bundle, trust_code=True)
    for rows in (1, 3):
        for length in (1, 5, 17):
            tokens = some_tokens(rows, length)
            with torch.no_grad():
                expected = predictor(tokens)
            found = engine.run({"tokens": tokens.numpy()})["probability"]
            torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=1e-5)
