"""Real bundles with tiny ONNX models, for tests: `python tiny_bundles.py classifier FOLDER`."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import numpy as np
import onnx
from onnx import TensorProto as Type
from onnx import helper as onnx_helper
from onnx import numpy_helper
from onnxruntime import InferenceSession
from safetensors.numpy import save

from torchworks.serving.bundle import BUNDLE, FORMAT, GOLDEN, BundleManifest
from torchworks.shared.config import to_dict
from torchworks.shared.models.manifest import FileEntry
from torchworks.shared.models.signature import Signature, TensorSpec

SIZE, CLASSES = 8, ("circle", "square", "triangle")
IMAGE = TensorSpec("image", "image", "uint8", ("N", 1, SIZE, SIZE))
UNIT_IMAGE = TensorSpec("image", "image", "float32", ("N", 1, SIZE, SIZE), low=0.0, high=1.0)
DTYPES = {"uint8": Type.UINT8, "float32": Type.FLOAT, "int64": Type.INT64}
node = onnx_helper.make_node


@dataclass(frozen=True)
class Tiny:
    signature: Signature
    nodes: list[onnx.NodeProto]
    weights: dict[str, np.ndarray]
    golden: dict[str, np.ndarray]


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.01, shape).astype(np.float32)


def scores(kind, last: onnx.NodeProto) -> Tiny:
    """The mean of each third of a picture, sharpened, is the score of a class: one can tell from a picture what must
    come out."""
    outputs = TensorSpec("probability", kind, "float32", ("N", 3), low=0.0, high=1.0, labels=CLASSES)
    thirds = np.zeros((SIZE * SIZE, 3), np.float32)
    for number, part in enumerate(np.array_split(np.arange(SIZE * SIZE), 3)):
        thirds[part, number] = 10 / 255 / len(part)
    nodes = [
        node("Cast", ["image"], ["float"], to=Type.FLOAT),
        node("Flatten", ["float"], ["flat"]),
        node("MatMul", ["flat", "thirds"], ["score"]),
        last,
    ]
    return Tiny(Signature((IMAGE,), (outputs,)), nodes, {"thirds": thirds}, {"image": picture(1)[None]})


def picture(label: int) -> np.ndarray:
    """uint8 (1, S, S) of which class `label` is by far the likeliest."""
    flat = np.zeros(SIZE * SIZE, np.uint8)
    flat[np.array_split(np.arange(SIZE * SIZE), 3)[label]] = 250
    return flat.reshape(1, SIZE, SIZE)


def classifier() -> Tiny:
    return scores("label", node("Softmax", ["score"], ["probability"]))


def findings() -> Tiny:
    return scores("probabilities", node("Sigmoid", ["score"], ["probability"]))


def generator() -> Tiny:
    latent = TensorSpec("latent", "latent", "float32", ("N", 4))
    label = TensorSpec("label", "label", "int64", ("N",), low=0, high=2, labels=CLASSES)
    nodes = [
        node("MatMul", ["latent", "spread"], ["noise"]),
        node("Gather", ["classes", "label"], ["drawn"]),
        node("Add", ["noise", "drawn"], ["sum"]),
        node("Sigmoid", ["sum"], ["flat"]),
        node("Reshape", ["flat", "shape"], ["image"]),
    ]
    tensors = {"spread": weights(4, 64), "classes": weights(3, 64), "shape": np.array([-1, 1, SIZE, SIZE])}
    golden = {"latent": weights(2, 4), "label": np.array([0, 2])}
    return Tiny(Signature((latent, label), (UNIT_IMAGE,)), nodes, tensors, golden)


def translator() -> Tiny:
    nodes = [node("Cast", ["image"], ["float"], to=Type.FLOAT), node("Div", ["float", "white"], ["out"])]
    output = TensorSpec("out", "image", "float32", ("N", 1, SIZE, SIZE), low=0.0, high=1.0)
    tensors = {"white": np.array(255, np.float32)}
    return Tiny(Signature((IMAGE,), (output,)), nodes, tensors, {"image": picture(0)[None]})


TINY: dict[str, Callable[[], Tiny]] = {
    "classifier": classifier,
    "findings": findings,
    "generator": generator,
    "translator": translator,
}


def write(name: str, folder: Path) -> Path:
    """The bundle of the tiny model `name`, in a folder to be made."""
    return write_tiny(TINY[name](), f"tiny-{name}", folder)


GREYS = {"image": {"size": SIZE, "mode": "L", "range": [0, 255]}}


def write_tiny(tiny: Tiny, name: str, folder: Path, preprocessing: dict[str, Any] = GREYS) -> Path:
    """The bundle of any model of one picture or latent, called `name`, in a folder to be made."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model(tiny).SerializeToString())
    session = InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    outputs = dict(zip((spec.name for spec in tiny.signature.outputs), session.run(None, tiny.golden), strict=True))
    tensors = {f"input.{key}": value for key, value in tiny.golden.items()}
    tensors |= {f"output.{key}": np.asarray(value) for key, value in outputs.items()}
    (folder / GOLDEN).write_bytes(save(tensors))  # save_file would make it unreadable for other users
    write_manifest(name, tiny.signature, folder, preprocessing)
    return folder


def model(tiny: Tiny) -> onnx.ModelProto:
    def value(spec: TensorSpec) -> onnx.ValueInfoProto:
        return onnx_helper.make_tensor_value_info(spec.name, DTYPES[spec.dtype], spec.shape)

    initial = [numpy_helper.from_array(value, name) for name, value in tiny.weights.items()]
    inputs, outputs = [*map(value, tiny.signature.inputs)], [*map(value, tiny.signature.outputs)]
    graph = onnx_helper.make_graph(tiny.nodes, "tiny", inputs, outputs, initial)
    return onnx_helper.make_model(graph, opset_imports=[onnx_helper.make_opsetid("", 20)], ir_version=10)


def write_manifest(name: str, signature: Signature, folder: Path, preprocessing: dict[str, Any] = GREYS) -> None:
    known = {
        "format": FORMAT,
        "name": name,
        "version": "1",
        "form": "onnx",
        "package": "tiny",
        "recipe": "tiny",
        "builder": "tiny",
        "signature": to_dict(signature),
        "preprocessing": preprocessing,
        "labels": signature.outputs[0].labels or CLASSES,
        "tolerance": 1e-5,
        "files": [to_dict(FileEntry.of(file)) for file in sorted(folder.iterdir()) if file.name != BUNDLE],
    }
    (folder / BUNDLE).write_text(json.dumps(blank(BundleManifest) | known))


def blank(manifest: type) -> dict[str, Any]:
    """All fields, with values that say nothing: these tests are not about them."""
    values = {str: "", bool: False, int: 64, float: 0.0, dict: {}, tuple: ()}
    hints = {name: get_origin(hint) or hint for name, hint in get_type_hints(manifest).items()}
    return {name: values.get(hint) for name, hint in hints.items()}


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
