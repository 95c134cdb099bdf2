"""8-bit integers with a range for each row: what becomes an integer, how near it stays, and that rows are apart."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torch_pruning", reason="exporting needs serving[export]")

import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from torchworks.serving.export.bundling import check_loss
from torchworks.serving.export.commands import Export
from torchworks.serving.export.generation import LEAST_ALIKE, TextScore, compared_texts
from torchworks.serving.export.parity import Score
from torchworks.serving.export.quantize_rows import graphs, quantize_rows
from torchworks.serving.export.trained import Samples
from torchworks.serving.generation.graph import StatefulEngine
from torchworks.shared.config import UserError
from torchworks.shared.models.generation import GenerationSpec, StateSpec
from torchworks.shared.text import ByteLevelBPE

V, E, H = 50, 24, 32
RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "embeddings": RANDOM.normal(0, 1, (V, E)),
    "w": RANDOM.normal(0, 0.3, (E, H)),
    "r": RANDOM.normal(0, 0.2, (H, H)),
    "b": RANDOM.normal(0, 0.3, H),
    "to_embedding": RANDOM.normal(0, 0.3, (E, H)),
}


def recurrent_model() -> onnx.ModelProto:
    """A language model whose recurrent product is within a Scan and takes its matrix from outside, and whose
    embeddings are the last layer too: tokens (T, N) → logits (N, V)."""
    step = helper.make_graph(
        [
            helper.make_node("Gemm", ["h", "r", "b"], ["inner"]),
            helper.make_node("Add", ["inner", "x"], ["sum"]),
            helper.make_node("Tanh", ["sum"], ["h_new"]),
        ],
        "step",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, H]) for name in ("h", "x")],
        [helper.make_tensor_value_info("h_new", TensorProto.FLOAT, [None, H])],
    )
    nodes = [
        helper.make_node("Gather", ["embeddings", "tokens"], ["each"]),
        helper.make_node("MatMul", ["each", "w"], ["xs"]),
        helper.make_node("Scan", ["h0", "xs"], ["last"], num_scan_inputs=1, body=step),
        helper.make_node("Gemm", ["last", "to_embedding"], ["out"], transB=1),
        helper.make_node("Gemm", ["out", "embeddings"], ["logits"], transB=1),
    ]
    inputs = [
        helper.make_tensor_value_info("tokens", TensorProto.INT64, ["T", "N"]),
        helper.make_tensor_value_info("h0", TensorProto.FLOAT, ["N", H]),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", V])]
    weights = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in WEIGHTS.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def run(model: onnx.ModelProto, tokens: np.ndarray) -> np.ndarray:
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"tokens": tokens, "h0": np.zeros((tokens.shape[1], H), np.float32)})[0]


@pytest.fixture(scope="module")
def both() -> tuple[onnx.ModelProto, onnx.ModelProto]:
    plain, smaller = recurrent_model(), recurrent_model()
    quantize_rows(smaller, bits=7)  # which no CPU overflows by
    onnx.checker.check_model(smaller, full_check=True)
    return plain, smaller


def test_all_products_with_weights_are_of_integers_also_within_a_scan(both):
    smaller = both[1]
    kinds = [node.op_type for graph in graphs(smaller.graph) for node in graph.node]
    assert kinds.count("MatMulInteger") == 4
    assert not {"MatMul", "Gemm"} & set(kinds)
    tensors = [tensor for graph in graphs(smaller.graph) for tensor in graph.initializer]
    integers = sum(np.prod(tensor.dims) for tensor in tensors if tensor.data_type == TensorProto.INT8)
    assert integers == sum(value.size for value in WEIGHTS.values() if value.ndim == 2)
    floats = [tensor.name for tensor in tensors if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2]
    assert floats == ["embeddings"]  # of which rows are looked up


def test_embeddings_that_are_the_last_layer_too_stay_as_they_are_and_logits_stay_near(both):
    tokens = RANDOM.integers(0, V, (7, 5))
    wanted, found = (run(model, tokens) for model in both)
    assert np.abs(found - wanted).max() < 0.03 * np.abs(wanted).max()
    assert np.abs(found - wanted).max() > 0


def test_a_row_is_the_same_whatever_is_beside_it(both):
    """Bit by bit, in fp32 and 8-bit integers: a neighbor a thousand times as large changes nothing."""
    tokens = RANDOM.integers(0, V, (7, 5))
    together = run(both[1], tokens)
    for row in range(5):
        assert (run(both[1], tokens[:, row : row + 1])[0] == together[row]).all()


# ---- gates -----------------------------------------------------------------------------------------------

TOKENIZER = ByteLevelBPE([])
SPEC = GenerationSpec((StateSpec("last", ("N",), "int64"),))


class Counting:
    """After each token it expects the next number, with a `lead` in its logit; wrong at tokens that are multiples of
    `wrong`."""

    def __init__(self, lead: float, wrong: int | None = None):
        self.lead, self.wrong = lead, wrong

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        newest = np.take_along_axis(inputs["tokens"], inputs["length"][:, None] - 1, 1)[:, 0]
        best = (newest + 1) % len(TOKENIZER)
        if self.wrong:
            best = np.where(newest % self.wrong == 0, 0, best)
        logits = np.zeros((len(best), len(TOKENIZER)), np.float32)
        logits[np.arange(len(best)), best] = self.lead
        return {"logits": logits, "new_last": newest}


def engine(lead: float = 5.0, wrong: int | None = None) -> StatefulEngine:
    return StatefulEngine(Counting(lead, wrong), SPEC)


def samples() -> Samples:
    """Texts of numbers that follow each other."""
    text = (np.arange(20) + 40 + 7 * np.arange(6)[:, None]) % len(TOKENIZER)
    return Samples({"text": text, "length": np.full(6, 20)}, {}, "made here")


def test_the_score_of_a_language_model_is_bits_per_character_of_what_it_did_not_choose():
    scoring = TextScore.of(samples(), engine(), TOKENIZER)
    assert scoring is not None
    characters = sum(len(TOKENIZER.decode(row.tolist())) for row in samples().inputs["text"][:, 10:])
    logit = np.log(np.exp(5.0) + len(TOKENIZER) - 1) - 5.0
    score = scoring.of_model(engine())
    assert (score.name, score.better) == ("bits per character", -1)
    assert score.value == pytest.approx(60 * logit / np.log(2) / characters)
    assert score.loss_of(scoring.of_model(engine(wrong=3))) > 1


def test_a_model_that_predicts_text_worse_than_it_may_is_refused_in_a_sentence():
    work: Any = SimpleNamespace(settings=Export(Path("run"), max_loss=0.01), scored=samples())
    trained, near, far = (Score("bits per character", value, -1) for value in (1.7, 1.709, 1.711))
    check_loss(work, trained, near)
    with pytest.raises(UserError, match=r"bits per character over 6 samples is 1\.7110, the trained model's 1\.7000"):
        check_loss(work, trained, far)


def test_a_smaller_model_that_writes_other_texts_is_refused_in_a_sentence():
    (note,) = compared_texts(samples(), engine(), engine(lead=4.0))
    assert "the same at 100.00% of the places" in note
    assert "100.0% of these texts" in note
    (note,) = compared_texts(samples(), engine(), engine(wrong=50))
    assert "the same at 100.00%" not in note
    with pytest.raises(UserError, match=rf"same at \d\d\.\d% of .* places, and {LEAST_ALIKE:.0%} must be"):
        compared_texts(samples(), engine(), engine(wrong=5))
