"""A bundle that reads handwritten digits, trained here in a moment, and one that draws slowly."""

import csv
import gzip
import importlib.util
import json
from pathlib import Path

import numpy as np
from onnx import TensorProto as Type
from onnx import helper as onnx_helper
from tiny_bundles import IMAGE, SIZE, UNIT_IMAGE, Tiny, node, weights, write_manifest, write_tiny

from torchworks.serving.bundle import REFERENCE
from torchworks.serving.monitoring.drift import reference
from torchworks.shared.models.signature import Signature, TensorSpec

DIGITS = tuple("0123456789")


def images() -> tuple[np.ndarray, np.ndarray]:
    """The digits that come with scikit-learn, which itself takes seconds to import: uint8 (1797, 1, 8, 8) and their
    classes (1797,)."""
    (library,) = importlib.util.find_spec("sklearn").submodule_search_locations
    with gzip.open(Path(library, "datasets/data/digits.csv.gz"), "rt") as file:
        rows = np.array([[float(value) for value in row] for row in csv.reader(file)])
    pixels = (rows[:, :-1] * 255 / 16).round().astype(np.uint8)
    return pixels.reshape(-1, 1, SIZE, SIZE), rows[:, -1].astype(int)


def trained(pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Weights (64, 10) of a multinomial logistic regression of what is drawn, of whatever darkness."""
    flat = pixels.reshape(len(pixels), -1) / 255
    weight, wanted = np.zeros((SIZE * SIZE, 10)), np.eye(10)[classes]
    for _ in range(300):
        likely = softmax(flat @ weight)
        weight -= 0.5 * (flat.T @ (likely - wanted) / len(flat) + 1e-3 * weight)
    return weight.astype(np.float32)


def softmax(logits: np.ndarray) -> np.ndarray:
    grown = np.exp(logits - logits.max(1, keepdims=True))
    return grown / grown.sum(1, keepdims=True)


def write_digits(name: str, folder: Path) -> Path:
    """The bundle `name`, with a reference for drift."""
    pixels, classes = images()
    weight = trained(pixels, classes)
    output = TensorSpec("probability", "label", "float32", ("N", 10), low=0.0, high=1.0, labels=DIGITS)
    nodes = [
        node("Cast", ["image"], ["float"], to=Type.FLOAT),
        node("Flatten", ["float"], ["flat"]),
        node("MatMul", ["flat", "weight"], ["score"]),
        node("Softmax", ["score"], ["probability"]),
    ]
    signature = Signature((IMAGE,), (output,))
    write_tiny(Tiny(signature, nodes, {"weight": weight / 255}, {"image": pixels[:1]}), name, folder)
    answers = softmax(pixels.reshape(len(pixels), -1) / 255 @ weight)
    (folder / REFERENCE).write_text(json.dumps(reference(signature, {"image": pixels}, {"probability": answers})))
    write_manifest(name, signature, folder)  # which names all files
    return folder


def write_slow(name: str, folder: Path) -> Path:
    """A generator that multiplies for a while before it draws."""
    latent = TensorSpec("latent", "latent", "float32", ("N", SIZE * SIZE))
    nodes = [
        node("MatMul", ["latent", "wide"], ["state"]),
        node("Loop", ["times", "on", "state"], ["moved"], body=_multiply()),
        node("MatMul", ["moved", "narrow"], ["sum"]),
        node("Sigmoid", ["sum"], ["flat"]),
        node("Reshape", ["flat", "shape"], ["image"]),
    ]
    tensors = {
        "wide": weights(SIZE * SIZE, 1024), "turn": weights(1024, 1024), "narrow": weights(1024, SIZE * SIZE),
        "times": np.array(400), "on": np.array(True), "shape": np.array([-1, 1, SIZE, SIZE]),
    }  # fmt: skip
    golden = {"latent": weights(2, SIZE * SIZE)}
    return write_tiny(Tiny(Signature((latent,), (UNIT_IMAGE,)), nodes, tensors, golden), name, folder)


def _multiply():
    scalars = [onnx_helper.make_tensor_value_info(*value) for value in (("i", Type.INT64, []), ("go", Type.BOOL, []))]
    states = [onnx_helper.make_tensor_value_info(key, Type.FLOAT, ["N", 1024]) for key in ("before", "after")]
    still = onnx_helper.make_tensor_value_info("still", Type.BOOL, [])
    nodes = [node("MatMul", ["before", "turn"], ["after"]), node("Identity", ["go"], ["still"])]
    return onnx_helper.make_graph(nodes, "multiply", [*scalars, states[0]], [still, states[1]])
