"""Bundles of diffusion models: a tiny ONNX step whose images are flat, of a grey that follows from the class."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as Type
from onnx import helper, numpy_helper
from onnxruntime import InferenceSession
from PIL import Image
from safetensors.numpy import save
from tiny_bundles import node, write_manifest

from torchworks.serving.bundle import BUNDLE, GOLDEN
from torchworks.serving.latents import draw as latents
from torchworks.shared.config import to_dict
from torchworks.shared.models.denoising import Condition, DenoisingSpec, Drawing
from torchworks.shared.models.signature import Signature, TensorSpec

DRAW = "/v1/models/greys/draw"
SIZE, CLASSES = 8, ("dark", "grey", "light", "broken")
GREYS = (-0.5, 0.0, 0.5, np.nan, -1.0)
"""Of each class, and of none. What the net says of a broken one is no number."""
LATENT = TensorSpec("latent", "latent", "float32", ("N", SIZE * SIZE))
LABEL = TensorSpec("label", "label", "int64", ("N",), low=0, high=len(CLASSES) - 1, labels=CLASSES)
IMAGE_SPEC = TensorSpec("image", "image", "float32", ("N", 1, SIZE, SIZE), low=0.0, high=1.0)
SPECS = {
    "greys": DenoisingSpec(
        (1, SIZE, SIZE),
        "image",
        conditions=(Condition("label", nothing=len(CLASSES)),),
        drawing=Drawing("ddim", 4, 1.5),
    ),
    "free": DenoisingSpec((1, SIZE, SIZE), "image", drawing=Drawing("heun", 3)),
}


def step(conditional: bool) -> onnx.ModelProto:
    """The image is .9 of the class's grey and .1 of x, so that it follows from the latent too."""
    nodes = [
        node("Gather", ["table", "label"], ["grey"]),
        node("Reshape", ["grey", "column"], ["greys"]),
        node("Mul", ["x", "tenth"], ["own"]),
        node("Add", ["greys", "own"], ["sum"]),
        node("Reshape", ["time", "column"], ["times"]),
        node("Mul", ["times", "millionth"], ["late"]),
        node("Add", ["sum", "late"], ["predicted"]),
    ]
    values = {
        "table": np.array(GREYS, np.float32) * np.float32(0.9), "column": np.array([-1, 1, 1, 1]),
        "tenth": np.float32(0.1), "millionth": np.float32(1e-6), "label": np.array([1]),
    }  # fmt: skip
    if conditional:
        del values["label"]
    labels = [helper.make_tensor_value_info("label", Type.INT64, ("N",))] if conditional else []
    x, time = (("x", ("N", 1, SIZE, SIZE)), ("time", ("N",)))
    inputs = [*(helper.make_tensor_value_info(name, Type.FLOAT, shape) for name, shape in (x, time)), *labels]
    outputs = [helper.make_tensor_value_info("predicted", Type.FLOAT, ("N", 1, SIZE, SIZE))]
    initial = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def evaluator(folder: Path):
    """The step in `folder`, as `Evaluate`."""
    session = InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    return lambda arrays: {"predicted": session.run(None, arrays)[0]}


def write(name: str, folder: Path, called: str = "") -> Path:
    """The bundle `name`, in a folder to be made."""
    spec = SPECS[name]
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(step(bool(spec.conditions)).SerializeToString())
    signature = spec.signature(Signature((LATENT, *([LABEL] if spec.conditions else [])), (IMAGE_SPEC,)))
    latent = np.random.default_rng(0).standard_normal((2, SIZE * SIZE)).astype(np.float32)
    inputs = {"latent": latent, "label": np.array([0, 2])} if spec.conditions else {"latent": latent}
    inputs |= {each.name: np.full(2, each.default, each.dtype) for each in signature.inputs if each.default is not None}
    golden = {f"input.{key}": value for key, value in inputs.items()}
    golden["output.image"] = spec.draw_all(evaluator(folder), inputs)
    (folder / GOLDEN).write_bytes(save(golden))
    write_manifest(called or name, signature, folder, {})
    manifest = json.loads((folder / BUNDLE).read_text())
    manifest |= {"denoising": to_dict(spec), "generation": None, "defaults": {"latent": "normal"}}
    (folder / BUNDLE).write_text(json.dumps(manifest))
    return folder


# ------------------------------------------------------------------------------------------- what is drawn


def pictures(encoded: list[str]) -> np.ndarray:
    """uint8 (N, H, W)."""
    return np.stack([np.array(Image.open(io.BytesIO(base64.b64decode(each)))) for each in encoded])


def drawn(client, path: str = DRAW, **asked) -> np.ndarray:
    response = client.post(path, json=asked)
    assert response.status_code == 200, response.text
    return pictures(response.json()["outputs"]["image"])


def alone(folder, name: str, rows: range, label: int | None, drawing: Drawing, seed: int = 0) -> np.ndarray:
    """Without a service, uint8."""
    spec = SPECS[name]
    asked = {} if label is None else {"label": np.full(len(rows), label)}
    latent = latents(seed, rows, SIZE * SIZE, uniform=False)
    return (spec.draw(evaluator(folder / name), latent, asked, drawing)[:, 0] * 255).round().astype(np.uint8)


def events(response) -> list[dict]:
    return [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]
