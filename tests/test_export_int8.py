"""Language models and translators as our exporter writes them, with 8-bit integers: nearly all of their weights are, a
text does not depend on those beside it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.seq_models", reason="needs the package that has these nets")

import onnx

from torchworks.seq_models.generation.generators import encoder_decoder_generator, gpt_generator, recurrent_generator
from torchworks.seq_models.models.gpt import GPT
from torchworks.seq_models.models.recurrent_lm import RecurrentLM
from torchworks.seq_models.models.transformer import Transformer
from torchworks.serving.bundle import PARITY, open_bundle
from torchworks.serving.engine import open_engine
from torchworks.serving.export import generation
from torchworks.serving.export.commands import Export
from torchworks.serving.export.quantize_rows import graphs
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.generation.graph import StatefulEngine
from torchworks.shared.models import predictor as predictors
from torchworks.shared.models.generation import replay
from torchworks.shared.models.generator import Generator
from torchworks.shared.models.predictor import save_model
from torchworks.shared.text import ByteLevelBPE

pytestmark = [
    pytest.mark.slow,
    # the exporters warn of what they do themselves
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]
TOKENIZER = ByteLevelBPE([])
V, LENGTH = len(TOKENIZER), 12


def gpt() -> Generator:
    return gpt_generator(GPT(V, context=24, depth=2, embed_dim=128, num_heads=2))


def lstm() -> Generator:
    return recurrent_generator(RecurrentLM(V, kind="lstm", depth=1, embed_dim=64, hidden_dim=192))


def transformer() -> Generator:
    net = Transformer(V, V, embed_dim=128, num_heads=2, depth=1, decoder_depth=1, ff_dim=512)
    return encoder_decoder_generator(net, end=1, block=LENGTH)


def finished(folder: Path, build: Callable[[], Generator], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of an untrained model."""
    torch.manual_seed(0)
    made = build().eval()
    monkeypatch.setattr(predictors, "find_builder", lambda name, package: lambda config, files: build())
    samples = {"text": torch.randint(2, V, (16, LENGTH)), "length": torch.full((16,), LENGTH)}
    save_model(
        folder, made, package="seq-models", recipe="untrained", builder="untrained", config={}, samples=samples,
        golden={name: value[:2] for name, value in samples.items()}, files={"tokenizer.json": TOKENIZER.to_json()},
        preprocessing={"text": {"tokenizer": "tokenizer.json"}},
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("build", [gpt, lstm, pytest.param(transformer, marks=pytest.mark.long)])
def test_the_weights_of_products_are_integers_and_texts_are_apart(tmp_path, monkeypatch, build):
    monkeypatch.setattr(generation, "LEAST_ALIKE", 0.5)  # untrained, it prefers no token clearly
    settings = Export(finished(tmp_path / "run", build, monkeypatch), seconds=0, quantize="int8", max_loss=0.05)
    export(settings)
    bundle = open_bundle(folder_of(settings))
    tensors = [tensor for graph in graphs(onnx.load(bundle.model).graph) for tensor in graph.initializer]
    sizes = {
        kind: sum(int(np.prod(tensor.dims)) for tensor in tensors if tensor.data_type == kind)
        for kind in (onnx.TensorProto.INT8, onnx.TensorProto.FLOAT)
    }
    assert sizes[onnx.TensorProto.INT8] > 0.8 * sum(sizes.values())
    models = bundle.manifest.parity["models"]
    assert models["onnx, int8"]["bytes"] < 0.45 * models["onnx"]["bytes"]
    assert "row by row" in (bundle.folder / PARITY).read_text()
    engine = open_engine(bundle)
    assert isinstance(engine, StatefulEngine)
    tokens = np.random.default_rng(1).integers(2, V, (3, LENGTH))
    length, following = np.array([LENGTH, 1, 5]), tokens[:, :4]
    together = replay(engine.advance, engine.spec, tokens, length, following)
    for row in range(3):
        mine = slice(row, row + 1)
        alone = replay(engine.advance, engine.spec, tokens[mine, : length[row]], length[mine], following[mine])
        np.testing.assert_allclose(alone[0], together[row], rtol=0, atol=2e-2 * np.abs(together).max())
