"""8-bit integers for an ONNX model of texts, with a range of activations for each row of a product.

ONNX Runtime's dynamic quantiser takes one range for a whole tensor, so that a text's numbers would depend on the texts
beside it and on their padding. Here each row x of a product X W has its own scale, and W one for each column:

    s = max|x| / 127,  q = round(x / s) + 128 (uint8),  Y = s · w · ((q - 128) V),  W ≈ V · w  (V int8, w per column)

(Dettmers et al. 2022, arXiv:2208.07339, section 2.1, "vector-wise quantization"). Weights are found wherever they are:
as initializers of the graph itself, also where a product within a Scan (a recurrent layer) or two nodes use them.
ONNX Runtime 1.31's own quantiser transposes a Gemm's weight in place, even if a Gather reads it too as an embedding.

Shape letters: M rows, K inputs, N outputs of a product.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

ACTIVATIONS, OFFSET = 127.0, 128
CONSTANTS = {
    "int8.last": np.array([-1]),
    "int8.range": np.float32(ACTIVATIONS),
    "int8.offset": np.float32(OFFSET),
    "int8.zero": np.uint8(OFFSET),
    "int8.least": np.float32(1e-20),  # of a row of zeros
}
PRODUCTS = ("MatMul", "Gemm")


def quantize_rows(model: onnx.ModelProto, *, bits: int) -> int:
    """Change all products of `model` with a constant matrix into products of 8-bit integers, weights with so many
    `bits`. Returns the number of weights that became integers."""
    rewriting = _Rewriting(bits)
    rewriting.graph(model.graph, {})
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in CONSTANTS.items())
    model.graph.initializer.extend(rewriting.made.values())
    _drop_unused(model.graph)
    del model.graph.value_info[:]
    return rewriting.weights


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and all within it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from graphs(attribute.g)


def constant_products(graph: onnx.GraphProto, outer: dict[str, TensorProto] | None = None) -> Iterator[TensorProto]:
    """The matrices that are weights of products, in a graph and all within it."""
    known = (outer or {}) | {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if _is_product(node, known):
            yield known[node.input[1]]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from constant_products(attribute.g, known)


def _is_product(node: NodeProto, known: dict[str, TensorProto]) -> bool:
    """Of something computed with a constant matrix of floats: X W, X Wᵀ, or either + b."""
    if node.op_type not in PRODUCTS or node.input[0] in known or node.input[1] not in known:
        return False
    weight = known[node.input[1]]
    if len(weight.dims) != 2 or weight.data_type != TensorProto.FLOAT:
        return False
    options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    return options.get("alpha", 1) == options.get("beta", 1) == 1 and not options.get("transA", 0)


@dataclass
class _Rewriting:
    bits: int
    made: dict[str, TensorProto] = field(default_factory=dict)
    weights: int = 0

    def graph(self, graph: onnx.GraphProto, outer: dict[str, TensorProto]) -> None:
        known = outer | {tensor.name: tensor for tensor in graph.initializer}
        nodes, rows = list[NodeProto](), dict[str, str]()
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    self.graph(attribute.g, known)
            nodes += self._product(node, known, rows) if _is_product(node, known) else [node]
        del graph.node[:]
        graph.node.extend(nodes)

    def _product(self, node: NodeProto, known: dict[str, TensorProto], rows: dict[str, str]) -> Iterator[NodeProto]:
        source, weight = node.input[0], node.input[1]
        turned = any(each.name == "transB" and each.i for each in node.attribute)
        values, scales = self._integers(known[weight], turned)
        prefix = f"{node.output[0]}.int8"
        if source not in rows:  # of queries, keys and values all have the same rows
            rows[source] = prefix
            yield from _rows(source, prefix)
        q, s = f"{rows[source]}.q", f"{rows[source]}.s"
        biased = len(node.input) > 2 and node.input[2] != ""
        yield helper.make_node("MatMulInteger", [q, values, "int8.zero"], [f"{prefix}.sum"])
        yield helper.make_node("Cast", [f"{prefix}.sum"], [f"{prefix}.float"], to=TensorProto.FLOAT)
        yield helper.make_node("Mul", [f"{prefix}.float", scales], [f"{prefix}.columns"])
        product = f"{prefix}.product" if biased else node.output[0]
        yield helper.make_node("Mul", [f"{prefix}.columns", s], [product])
        if biased:
            yield helper.make_node("Add", [product, node.input[2]], [node.output[0]])

    def _integers(self, weight: TensorProto, turned: bool) -> tuple[str, str]:
        """Names of V (K, N) and of the scales (N,)."""
        name = f"{weight.name}.int8{'.turned' if turned else ''}"
        if name not in self.made:
            matrix = numpy_helper.to_array(weight).astype(np.float32)
            matrix = matrix.T if turned else matrix
            largest = 2 ** (self.bits - 1) - 1
            scale = np.maximum(np.abs(matrix).max(0), 1e-20) / largest
            integers = np.clip(np.rint(matrix / scale), -largest, largest).astype(np.int8)
            self.made[name] = numpy_helper.from_array(np.ascontiguousarray(integers), name)
            self.made[f"{name}.scale"] = numpy_helper.from_array(scale.astype(np.float32), f"{name}.scale")
            self.weights += matrix.size
        return name, f"{name}.scale"


def _rows(source: str, prefix: str) -> Iterator[NodeProto]:
    """From (…, K) to `q` (…, K), uint8, and `s` (…, 1)."""
    steps = [
        ("Abs", [source], "abs"),
        ("ReduceMax", [f"{prefix}.abs", "int8.last"], "max"),
        ("Max", [f"{prefix}.max", "int8.least"], "most"),
        ("Div", [f"{prefix}.most", "int8.range"], "s"),
        ("Div", [source, f"{prefix}.s"], "scaled"),
        ("Round", [f"{prefix}.scaled"], "whole"),
        ("Add", [f"{prefix}.whole", "int8.offset"], "shifted"),
    ]
    for kind, inputs, name in steps:
        yield helper.make_node(kind, inputs, [f"{prefix}.{name}"])
    yield helper.make_node("Cast", [f"{prefix}.shifted"], [f"{prefix}.q"], to=TensorProto.UINT8)


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for each in graphs(graph) for node in each.node for name in node.input}
    used |= {value.name for each in graphs(graph) for value in each.output}
    for each in graphs(graph):
        kept = [tensor for tensor in each.initializer if tensor.name in used]
        del each.initializer[:]
        each.initializer.extend(kept)
