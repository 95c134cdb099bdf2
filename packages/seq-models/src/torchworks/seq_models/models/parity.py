"""Our nets beside those of other libraries: the same keys, outputs and gradients, and what an export gives.

An architecture that has an oracle is a line in `ORACLES`: its name, and the function that makes the `Comparison`. The
function is imported when it is asked for, and the oracle's library within it. A test compares each line, and
`seq-models models --parity` prints all of them.
"""

import importlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from torchworks.shared.config import UserError, nearest
from torchworks.shared.testing import differences

_HERE = "torchworks.seq_models.models.oracles"

ORACLES: dict[str, str] = {
    "RNN": f"{_HERE}.torch_nn:rnn",
    "RNN, relu": f"{_HERE}.torch_nn:rnn_relu",
    "RNN, 2 layers, both directions, lengths": f"{_HERE}.torch_nn:rnn_lengths",
    "LSTM": f"{_HERE}.torch_nn:lstm",
    "LSTM, proj_size": f"{_HERE}.torch_nn:lstm_projected",
    "LSTM, 2 layers, both directions, lengths": f"{_HERE}.torch_nn:lstm_lengths",
    "GRU": f"{_HERE}.torch_nn:gru",
    "GRU, 2 layers, both directions, lengths": f"{_HERE}.torch_nn:gru_lengths",
    "multi-head attention": f"{_HERE}.torch_attention:multi_head",
    "Transformer encoder": f"{_HERE}.torch_attention:encoder",
    "Transformer encoder, pre-norm": f"{_HERE}.torch_attention:encoder_pre_norm",
    "Transformer decoder": f"{_HERE}.torch_attention:decoder",
    "Transformer decoder, pre-norm": f"{_HERE}.torch_attention:decoder_pre_norm",
    "GPT-2": f"{_HERE}.hugging_face:gpt2",
    "BERT": f"{_HERE}.hugging_face:bert_model",
    "BERT, masked tokens": f"{_HERE}.hugging_face:bert_masked_lm",
    "BERT, classes": f"{_HERE}.hugging_face:bert_classification",
    "BERT, answers": f"{_HERE}.hugging_face:bert_question_answering",
    "T5": f"{_HERE}.hugging_face:t5_relu",
    "T5 1.1": f"{_HERE}.hugging_face:t5_gated",
}
"""Where the comparison of each architecture is made, as "module:function"."""

ROWS, LENGTHS = (1, 3), (1, 5, 17)
"""Sizes at which exports are compared. Their example has others: 2 rows, and 4, 6, … for each length."""
Sizes = dict[str, int]


@dataclass(frozen=True)
class Comparison:
    """One of our nets and its oracle, both with the same options and without dropout."""

    oracle: str
    """What it is called in its library, such as "torch.nn.LSTM"."""
    ours: nn.Module
    reference: nn.Module
    """With random weights; `torchworks.shared.testing.randomize` gives some."""
    make: Callable[[Sizes], tuple[Tensor, ...]]
    """Inputs of both nets for sizes by name. Floats are float32; precisions are changed later."""
    axes: tuple[dict[int, str], ...]
    """Of each input, the names of its open sizes: {0: "N", 1: "T"}. "N" counts rows, all others are lengths."""
    key_map: Callable[[str], str] | None = None
    """From a key of the reference to ours."""
    fp64_tol: float = 1e-9
    """Largest difference in float64, in units of the largest output or gradient."""

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of a size at which no export is compared."""
        lengths = [name for name in self._names if name != "N"]
        return self.make({"N": 2, **{name: 4 + 2 * i for i, name in enumerate(lengths)}})

    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        """Inputs of all sizes at which exports are compared."""
        values = [ROWS if name == "N" else LENGTHS for name in self._names]
        for sizes in product(*values):
            yield self.make(dict(zip(self._names, sizes, strict=True)))

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for axes in self.axes for name in axes.values()))


@dataclass(frozen=True)
class Parity:
    """Largest differences from the oracle, in units of its largest output or gradient. Of exports: from our own net."""

    oracle: str
    keys: int
    """Tensors of the state_dict; loaded strictly both ways."""
    fp32_outputs: float
    fp64_outputs: float
    fp64_gradients: float
    exported: float
    """The program of torch.export, captured twice, at 1 and 3 rows and lengths of 1, 5 and 17."""
    onnx: float | None
    """The same sizes in ONNX Runtime; None if that or the exporter is not installed."""
    fp64_tol: float


def comparison(name: str) -> Comparison:
    """The comparison of the architecture `name`. Raises `UserError` for an unknown name, and where the oracle's library
    is not installed."""
    if name not in ORACLES:
        raise UserError(f"No oracle is known for '{name}'.{nearest(name, ORACLES)} Known: {'; '.join(ORACLES)}.")
    module, _, function = ORACLES[name].partition(":")
    try:
        return getattr(importlib.import_module(module), function)()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("torchworks"):
            raise
        raise UserError(
            f"The oracle of '{name}' is in the package {error.name}, which is not installed: install it, and ask again."
        ) from error


def measure(name: str) -> Parity:
    """Compare the architecture `name` with its oracle, in every way the table has."""
    found = comparison(name)
    sizes = list(differences(found.ours, found.reference, found.example(), key_map=found.key_map))

    def largest(kind: str, dtype: torch.dtype) -> float:
        return max(each.size for each in sizes if (each.kind, each.dtype) == (kind, dtype))

    return Parity(
        oracle=found.oracle,
        keys=len(found.ours.state_dict()),
        fp32_outputs=largest("output", torch.float32),
        fp64_outputs=largest("output", torch.float64),
        fp64_gradients=largest("gradient", torch.float64),
        exported=max(exported_difference(found) for _ in range(2)),
        onnx=onnx_difference(found),
        fp64_tol=found.fp64_tol,
    )


# -------------------------------------------------------------------------------------------------------- exports


def exported_difference(found: Comparison) -> float:
    """How far an exported program is from the net, at all sizes; it is captured at another."""
    return _difference(found, captured(found).module())


def captured(found: Comparison) -> torch.export.ExportedProgram:
    dims = {name: torch.export.Dim(name, min=1) for axes in found.axes for name in axes.values()}
    shapes = tuple({i: dims[name] for i, name in axes.items()} for axes in found.axes)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of what it does itself
        return torch.export.export(found.ours.float().eval(), found.example(), dynamic_shapes=shapes)


def onnx_difference(found: Comparison) -> float | None:
    """The same of the ONNX graph in ONNX Runtime; None if what it takes is not installed."""
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        return None
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(captured(found), dynamo=True, opset_version=20, external_data=False, verbose=False)
    assert made is not None, "torch.onnx.export(dynamo=True) returns a program"
    file = io.BytesIO(made.model_proto.SerializeToString())
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]

    def run(*inputs: Tensor) -> list[Tensor]:
        arrays = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        return [torch.from_numpy(each) for each in session.run(None, arrays)]

    return _difference(found, run)


@torch.no_grad()
def _difference(found: Comparison, run: Callable[..., Any]) -> float:
    """The largest difference of an output, in units of the largest of its case. A frozen size raises an error in `run`
    or gives outputs of other shapes."""
    largest = 0.0
    for inputs in found.cases():
        wanted, given = tree_leaves(found.ours(*inputs)), tree_leaves(run(*inputs))
        for a, b in zip(given, wanted, strict=True):
            assert a.shape == b.shape, f"an export gives {tuple(a.shape)} instead of {tuple(b.shape)}"
            a, b = a.double(), b.double()  # a mask is bool
            scale = float(b.abs().max().clamp_min(1e-12))
            largest = max(largest, float((a - b).abs().max()) / scale)
    return largest
