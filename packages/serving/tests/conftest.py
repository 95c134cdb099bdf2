"""Small bundles for the tests of the service: real files, run by ONNX Runtime."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from fastapi.testclient import TestClient
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.numpy import save_file

from torchworks.serving.app import create_app
from torchworks.serving.bundle import BUNDLE, FORMAT, BundleManifest
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.registry import Registry
from torchworks.serving.served import ServedModel
from torchworks.shared.config import to_dict
from torchworks.shared.models.manifest import GOLDEN, DataEntry, FileEntry
from torchworks.shared.models.signature import Signature, TensorSpec

HERE: dict[str, Any] = {"base_url": "http://localhost", "client": ("127.0.0.1", 1)}
"""A client on this machine."""
CLASSES = ("cat", "dog", "owl")
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "uint8": TensorProto.UINT8}


def classifier(kind: str = "label", seed: int = 0) -> tuple[Signature, list[onnx.NodeProto], dict[str, np.ndarray]]:
    """image (N, 1, 8, 8), uint8 → probability (N, 3)."""
    signature = Signature(
        (TensorSpec("image", "image", "uint8", ("N", 1, 8, 8)),),
        (TensorSpec("probability", kind, "float32", ("N", 3), low=0, high=1, labels=CLASSES),),
    )
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"]),
    ]
    weight = np.random.default_rng(seed).normal(0, 0.002, (64, 3)).astype(np.float32)
    return signature, nodes, {"weight": weight}


def generator() -> tuple[Signature, list[onnx.NodeProto], dict[str, np.ndarray]]:
    """latent (N, 16), label (N,) → image (N, 1, 8, 8) in [0, 1]."""
    signature = Signature(
        (
            TensorSpec("latent", "latent", "float32", ("N", 16)),
            TensorSpec("label", "label", "int64", ("N",), low=0, high=2, labels=CLASSES),
        ),
        (TensorSpec("image", "image", "float32", ("N", 1, 8, 8), low=0, high=1),),
    )
    nodes = [
        helper.make_node("MatMul", ["latent", "weight"], ["drawn"]),
        helper.make_node("Gather", ["table", "label"], ["shift"]),
        helper.make_node("Add", ["drawn", "shift"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["image"]),
    ]
    random = np.random.default_rng(1)
    weights = {
        "weight": random.normal(0, 0.3, (16, 64)).astype(np.float32),
        "table": random.normal(0, 1, (3, 64)).astype(np.float32),
        "shape": np.array([-1, 1, 8, 8]),
    }
    return signature, nodes, weights


def translator() -> tuple[Signature, list[onnx.NodeProto], dict[str, np.ndarray]]:
    """image (N, 3, 8, 8), uint8 → its negative (N, 3, 8, 8) in [0, 1]."""
    signature = Signature(
        (TensorSpec("image", "image", "uint8", ("N", 3, 8, 8)),),
        (TensorSpec("negative", "image", "float32", ("N", 3, 8, 8), low=0, high=1),),
    )
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels", "white"], ["unit"]),
        helper.make_node("Sub", ["one", "unit"], ["negative"]),
    ]
    return signature, nodes, {"white": np.float32(255), "one": np.float32(1)}


def sqrt() -> tuple[Signature, list[onnx.NodeProto], dict[str, np.ndarray]]:
    """series (N, T) → its square roots (N, T); NaN for what is negative."""
    signature = Signature(
        (TensorSpec("series", "series", "float32", ("N", "T")),), (TensorSpec("sqrt", "series", "float32", ("N", "T")),)
    )
    return signature, [helper.make_node("Sqrt", ["series"], ["sqrt"])], {}


def echo(shift: float) -> tuple[Signature, list[onnx.NodeProto], dict[str, np.ndarray]]:
    """series (N, T) → the same plus `shift` (N, T), so that an answer tells what was asked and who answered. It raises
    unless the last number of each row lies in [0, 1)."""
    signature = Signature(
        (TensorSpec("series", "series", "float32", ("N", "T")),), (TensorSpec("echo", "series", "float32", ("N", "T")),)
    )
    nodes = [
        helper.make_node("Gather", ["series", "last"], ["number"], axis=1),
        helper.make_node("Cast", ["number"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["shifts", "index"], ["shift"]),
        helper.make_node("Add", ["series", "shift"], ["echo"]),
    ]
    return signature, nodes, {"last": np.array([-1]), "shifts": np.array([shift], np.float32)}


MODELS: dict[str, Callable[[], tuple]] = {
    "classifier": classifier,
    "findings": lambda: classifier("probabilities"),
    "classifier-2": lambda: classifier(seed=2),
    "generator": generator,
    "translator": translator,
    "sqrt": sqrt,
    "echo": lambda: echo(0.25),
    "echo-2": lambda: echo(0.5),
}


def _golden(spec: TensorSpec) -> np.ndarray:
    shape = [2 if size == "N" else 5 if isinstance(size, str) else size for size in spec.shape]
    random = np.random.default_rng(3)
    if spec.dtype == "float32":
        return random.uniform(0, 1, shape).astype(np.float32)
    return random.integers(0, 256 if spec.high is None else int(spec.high) + 1, shape).astype(spec.dtype)


def _value(spec: TensorSpec) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(spec.name, TYPES[spec.dtype], list(spec.shape))


def write_bundle(folder: Path, model: str, *, name: str | None = None, version: str = "v1") -> Path:
    """A bundle of one of `MODELS` in `folder`."""
    signature, nodes, weights = MODELS[model]()
    folder.mkdir(parents=True)
    graph = helper.make_graph(
        nodes,
        model,
        [_value(spec) for spec in signature.inputs],
        [_value(spec) for spec in signature.outputs],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(proto)
    onnx.save(proto, folder / "model.onnx")
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    inputs = {spec.name: _golden(spec) for spec in signature.inputs}
    names = [spec.name for spec in signature.outputs]
    outputs = dict(zip(names, session.run(names, inputs), strict=True))
    tensors = {f"input.{key}": value for key, value in inputs.items()}
    save_file(tensors | {f"output.{key}": value for key, value in outputs.items()}, folder / GOLDEN)
    manifest = BundleManifest(
        format=FORMAT, name=name or model, version=version, created="2026-01-01T00:00:00", form="onnx", legacy=False,
        package="tests", recipe="tiny", builder="none", quantize="none", pruned=0.0, signature=signature,
        preprocessing={}, labels=CLASSES, tolerance=1e-4, score="accuracy", scored=10,
        scores={"eager": 1.0, "exported": 1.0}, data=(DataEntry("noise", "CC0"),), versions={},
        files=tuple(FileEntry.of(folder / file) for file in ("model.onnx", GOLDEN)),
    )  # fmt: skip
    (folder / BUNDLE).write_text(json.dumps(to_dict(manifest)))
    return folder


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> Path:
    """A folder with bundles of all `MODELS`; "broken" is a damaged one, those that end in -2 are other versions."""
    folder = tmp_path_factory.mktemp("bundles")
    for model in MODELS:
        version = "v2" if model.endswith("-2") else "v1"
        write_bundle(folder / model, model, name=model.removesuffix("-2"), version=version)
    broken = write_bundle(folder / "broken", "classifier", version="v3")
    with (broken / "model.onnx").open("ab") as file:
        file.write(b"x")
    return folder


@pytest.fixture(scope="session")
def make_bundle() -> Callable[..., Path]:
    """`write_bundle`."""
    return write_bundle


@pytest.fixture
def serving(bundles) -> Iterator[Callable[..., TestClient]]:
    """Start a service of some of the bundles within this process; the client's `app.service` is it."""
    opened = []

    def start(
        *models: str, limits: dict[str, Any] | None = None, allowed_hosts: Sequence[str] = (), **settings: Any
    ) -> TestClient:
        asked = Settings(limits=replace(Limits(), **(limits or {})), models=bundles, **settings)
        registry = Registry(asked)
        for model in models:
            registry.add(ServedModel.load(bundles / model, asked))
        client = TestClient(create_app(registry, asked, allowed_hosts), **HERE, raise_server_exceptions=False)
        opened.append(client.__enter__())
        return client

    yield start
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """A file with a picture of noise."""

    def make(size: int = 8, mode: str = "L", form: str = "PNG", seed: int = 0, **options: Any) -> bytes:
        shape = (size, size) if mode == "L" else (size, size, len(mode))
        values = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(values, mode).save(file, form, **options)
        return file.getvalue()

    return make
