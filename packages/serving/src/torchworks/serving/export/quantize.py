"""8-bit integers for an ONNX model, by ONNX Runtime's own quantiser.

Convolutional nets are quantized statically: weights (int8, per channel) and activations (uint8), whose ranges are
measured over calibration samples; nodes between quantize and dequantise steps (QDQ) run on integer kernels. Nets with
attention or recurrence are quantized dynamically: weights as above, activations by their range at each call, for it
changes with the text or the series (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
Models that generate text, and recurrent nets that were exported as a Scan, are quantized row by row
(quantize_rows.py), so that a text does not depend on those beside it.

Products of two 8-bit numbers are summed in pairs in 16 bits by CPUs without VNNI and can overflow there; weights
then have 7 bits (`reduce_range`).
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from torchworks.serving.export.quantize_rows import constant_products, graphs, quantize_rows
from torchworks.serving.export.source_locations import strip_onnx
from torchworks.serving.export.trained import Arrays
from torchworks.shared.config import UserError
from torchworks.shared.machine.facts import cpu_flags

VNNI = frozenset({"avx_vnni", "avx512_vnni", "asimddp"})
"""Instructions that add products of 8-bit numbers in 32 bits (the last is ARM's)."""
HEAVY = ("Conv", "Gemm", "MatMul")
"""Operators with weights that ONNX Runtime has integer kernels for on a CPU."""
BETWEEN = (
    "Add", "Mul", "Relu", "Clip", "LeakyRelu", "Sigmoid", "MaxPool", "AveragePool", "GlobalAveragePool",
    "Concat", "Resize", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten",
)  # fmt: skip
"""Operators that pass 8-bit numbers on, so that they need no dequantising before."""
RECURRENT = ("LSTM", "GRU", "RNN")
DYNAMIC = ("MatMul", "Gemm", "Attention", "LSTM")


def quantize(
    source: Path,
    target: Path,
    calibration: Iterable[Arrays],
    good_enough: Callable[[Path], bool],
    *,
    generates: bool = False,
) -> tuple[str, ...]:
    """Write the ONNX model `source` with 8-bit integers as `target`; returns how it was done, in sentences.

    A static one keeps its first layer in floating point, and its last one too unless it is `good_enough` without.
    Raises `UserError` for a model with hardly any weights that could become integers.
    """
    prepared = target.with_name("prepared.onnx")
    with _quiet():
        quant_pre_process(source, prepared, skip_symbolic_shape=True)  # folds batch normalisation, infers shapes
    try:
        model = _without_shapes_of_weights(prepared)
        graph = Graph(model.graph)
        if generates or any(node.op_type == "Scan" for node in graph.nodes):
            how = _row_by_row(model, target)
        else:
            reason = graph.why_dynamic()
            graph.check_worth([n for n in graph.nodes if n.op_type in DYNAMIC] if reason else graph.layers[1:])
            how = (
                _dynamic(prepared, target, reason)
                if reason
                else _static(prepared, target, list(calibration), graph, good_enough)
            )
    finally:
        prepared.unlink(missing_ok=True)
    model = onnx.load(target)
    strip_onnx(model)
    onnx.save(model, target)
    return how


def _without_shapes_of_weights(path: Path) -> onnx.ModelProto:
    """The model in `path`, changed there too. PyTorch's exporter states the shapes of weights once more, and the
    dynamic quantiser, which transposes some weights, calls the model wrong for it."""
    model = onnx.load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    stated = [value for value in model.graph.value_info if value.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(stated)
    onnx.save(model, path)
    return model


def _static(
    source: Path, target: Path, calibration: list[Arrays], graph: "Graph", good_enough: Callable[[Path], bool]
) -> tuple[str, ...]:
    reduced = not VNNI & cpu_flags()
    for last_too in (False, True):
        kept = graph.kept(last_too)
        with _quiet():
            quantize_static(
                source,
                target,
                Reader(calibration),
                op_types_to_quantize=[*HEAVY, *BETWEEN],
                nodes_to_exclude=kept,
                per_channel=True,
                reduce_range=reduced,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        if good_enough(target):
            break
    rows = sum(len(next(iter(batch.values()))) for batch in calibration)
    layers = "the first and the last layer" if last_too else "the first layer"
    return (
        f"8-bit integers, static, because the graph is convolutional: the ranges of activations were measured over "
        f"{rows} samples that are not among those of the score.",
        f"Activations have 8 bits without sign, weights {7 if reduced else 8} bits with sign and a scale for each "
        "output channel. " + _range_note(reduced),
        f"Kept in floating point: what comes before and after the net's layers, and {layers}.",
    )


def _dynamic(source: Path, target: Path, reason: str) -> tuple[str, ...]:
    reduced = not VNNI & cpu_flags()
    with _quiet():
        quantize_dynamic(
            source, target, op_types_to_quantize=list(DYNAMIC), per_channel=True, reduce_range=reduced,
            weight_type=QuantType.QInt8, extra_options={"MatMulConstBOnly": True},
        )  # fmt: skip
    return (
        f"8-bit integers, dynamic, because {reason}: the range of activations is taken anew at each call. Convolutions "
        "stay in floating point.",
        f"Weights have {7 if reduced else 8} bits and a scale for each output channel. " + _range_note(reduced),
    )


def _row_by_row(model: onnx.ModelProto, target: Path) -> tuple[str, ...]:
    reduced = not VNNI & cpu_flags()
    able = sum({t.name: prod(t.dims) for t in constant_products(model.graph)}.values())
    total = _floats(model)
    if 2 * able < total:
        raise UserError(
            f"8-bit integers are of no use for this model: only {able / total:.0%} of its weights are matrices of "
            "products; the others, such as embeddings, stay in floating point. Leave out --quantize."
        )
    integers = quantize_rows(model, bits=7 if reduced else 8)
    share = integers / (integers + _floats(model))
    onnx.save(model, target)
    return (
        "8-bit integers, row by row: each token's activations have a range of their own at each call, so that no text "
        f"depends on those beside it. {share:.0%} of the weights are integers; embeddings and what is not a matrix "
        "of a product stay in floating point.",
        f"Weights have {7 if reduced else 8} bits and a scale for each output channel. " + _range_note(reduced),
    )


def _floats(model: onnx.ModelProto) -> int:
    """Weights in floating point."""
    return sum(prod(t.dims) for g in graphs(model.graph) for t in g.initializer if t.data_type == t.FLOAT)


def _range_note(reduced: bool) -> str:
    if reduced:
        return "They have 7 because this CPU has no VNNI, without which sums of products of 8 bits can overflow."
    return "This CPU has VNNI. One without can overflow with 8: quantize there for there."


class Reader(CalibrationDataReader):
    """Batches of inputs as ONNX Runtime reads them."""

    def __init__(self, batches: list[Arrays]):
        self.batches = iter(batches)

    def get_next(self) -> Arrays | None:  # ty: ignore[incompatible-method-override]
        return next(self.batches, None)


class Graph:
    """What a quantiser has to know about an ONNX graph."""

    def __init__(self, graph: onnx.GraphProto):
        self.nodes = list(graph.node)
        self.weights = {tensor.name: prod(tensor.dims) for tensor in graph.initializer}
        self.layers = [node for node in self.nodes if node.op_type in HEAVY and self._weights_of(node)]

    def _weights_of(self, node: onnx.NodeProto) -> int:
        return sum(self.weights.get(name, 0) for name in node.input)

    def check_worth(self, integer: list[onnx.NodeProto]) -> None:
        """Raise `UserError` unless most weights are in the nodes that can become `integer`."""
        by_kind: dict[str, int] = defaultdict(int)
        for node in self.nodes:
            by_kind[node.op_type] += self._weights_of(node)
        able, total = sum(map(self._weights_of, integer)), sum(by_kind.values())
        if 2 * able < total:
            shares = ", ".join(f"{kind} {count / total:.0%}" for kind, count in by_kind.items() if count > total / 100)
            raise UserError(
                f"8-bit integers are of no use for this model: only {able / total:.0%} of its weights are in layers "
                f"that ONNX Runtime can run with integers on a CPU (weights by operator: {shares}). Transposed "
                "convolutions have no such kernel, and the first layer stays in floating point. Leave out --quantize."
            )

    def why_dynamic(self) -> str:
        """Why ranges of activations must be taken at each call; empty if they need not."""
        kinds = sorted({node.op_type for node in self.nodes} & set(RECURRENT))
        if kinds:
            return f"the graph is recurrent ({', '.join(kinds)})"
        mixing = [n for n in self.nodes if n.op_type == "MatMul" and not self._weights_of(n)]
        if mixing or any(node.op_type == "Attention" for node in self.nodes):
            return "the graph has attention (products of two computed matrices)"
        return ""

    def kept(self, last_too: bool) -> list[str]:
        """Names of the nodes to keep in floating point: all up to the first layer, and all after the last one."""
        ends = [self.nodes.index(self.layers[i]) for i in (0, -1)]
        before, after = self.nodes[: ends[0] + 1], self.nodes[ends[1] + (0 if last_too else 1) :]
        return [node.name for node in (*before, *after)]


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises by log messages about what is settled here."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
