"""Every form of bundle × every kind of vision model that answers with more than a class: works with parity, or is
refused with the reason. Boxes and masks are those of the trained net."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.cnn_vision", reason="needs the package that trains these nets")

from torchworks.cnn_vision.anomaly.predictor import build_anomaly
from torchworks.cnn_vision.autoencoders.predictor import build_autoencoder, build_sampler, build_vae, plain_config
from torchworks.cnn_vision.models.dense import create_detector, create_segmenter
from torchworks.cnn_vision.style.adain import build_stylizer
from torchworks.cnn_vision.style.fast import build_painter
from torchworks.serving.bundle import open_bundle, read_bundle
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export import speed
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.shared import predict
from torchworks.shared.config import UserError
from torchworks.shared.predict import Predictor, save_model
from torchworks.shared.signature import Signature, TensorSpec

SIZE, THINGS, PIXELS = 64, ("bird", "car"), ("background", "land", "sky")
WHOLE = {"image": {"size": SIZE, "mode": "RGB", "fit": "letterbox"}}


class Finder(Predictor):
    """A detector as a user has it: image → boxes, score, label and, of nets with masks, instance."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        boxes, score, label, *masks = self.net.detect(inputs[0].float() / 128 - 1)  # ty: ignore[call-non-callable]
        label = torch.where(label < 0, -1, label - self.net.first_label)
        return (boxes.float(), score.float(), label, *(_front(mask) for mask in masks))


def _front(masks: Tensor) -> Tensor:
    count = masks.shape[1]
    ranks = torch.arange(count, 0, -1, dtype=torch.int32)
    front = ((masks >= 0.5) * ranks.view(-1, 1, 1)).amax(1)
    return torch.where(front > 0, count + 1 - front, 0).to(torch.uint8)


class Segmenter(Predictor):
    """image → mask and confidence."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        confidence, mask = self.net(inputs[0].float() / 128 - 1).softmax(1).max(1)
        return mask.to(torch.uint8), confidence


def image(size: int, channels: int = 3, name: str = "image") -> TensorSpec:
    return TensorSpec(name, "image", "uint8", ("N", channels, size, size))


def finder(model: str) -> Predictor:
    first = 0 if model.startswith("yolo") else 1
    net = create_detector(model, num_classes=len(THINGS) + first)
    d = net.max_detections
    outputs = [
        TensorSpec("boxes", "boxes", "float32", ("N", d, 4), low=0.0, high=float(SIZE)),
        TensorSpec("score", "features", "float32", ("N", d), low=0.0, high=1.0),
        TensorSpec("label", "label", "int64", ("N", d), low=-1, high=1, labels=THINGS),
    ]
    if model.startswith("mask"):
        outputs.append(TensorSpec("instance", "mask", "uint8", ("N", SIZE, SIZE)))
    return Finder(net, Signature((image(SIZE),), tuple(outputs)))


def segmenter(model: str) -> Predictor:
    mask = TensorSpec("mask", "mask", "uint8", ("N", SIZE, SIZE), labels=PIXELS)
    confidence = TensorSpec("confidence", "mask", "float32", ("N", SIZE, SIZE), low=0.0, high=1.0)
    net = create_segmenter(model, num_classes=len(PIXELS))
    return Segmenter(net, Signature((image(SIZE),), (mask, confidence)))


def anomaly() -> Predictor:
    config = {"channels": 3, "image_size": 32, "backbone": "small", "memory": 20, "neighbours": 3}
    predictor = build_anomaly(config)
    predictor.net.memory.normal_()  # ty: ignore[call-non-callable]
    return predictor


PLAIN = plain_config(16, 1, 8, 4)
MODELS = {
    "ssd": lambda: finder("ssd_resnet20"),
    "yolo": lambda: finder("yolo_resnet20"),
    "faster r-cnn": lambda: finder("fasterrcnn_resnet20_fpn"),
    "mask r-cnn": lambda: finder("maskrcnn_resnet20_fpn"),
    "deeplab": lambda: segmenter("deeplabv3_resnet20"),
    "unet": lambda: segmenter("unet"),
    "autoencoder": lambda: build_autoencoder(PLAIN),
    "vae": lambda: build_vae(PLAIN),
    "sampler": lambda: build_sampler(PLAIN),
    "anomaly": anomaly,
    "stylizer": lambda: build_stylizer({"size": 32, "architecture": "small"}),
    "painter": lambda: build_painter({"size": 32}),
}
FORMS = ("onnx", "safetensors", "pt2", "torchscript")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Untrained models, whose builder no package offers, and hardly any measuring of speed."""
    monkeypatch.setattr(predict, "find_builder", lambda name, package: lambda config: MODELS[config["kind"]]())
    monkeypatch.setattr(speed, "LEAST", 1)
    monkeypatch.setattr(speed, "WARM_UP", 0)


def finished(folder: Path, kind: str) -> Path:
    """A run with an untrained model, whose batch normalisation has seen images."""
    torch.manual_seed(0)
    predictor = MODELS[kind]()
    random = torch.Generator().manual_seed(0)
    samples = {spec.name: _noise(spec, random) for spec in predictor.signature.inputs}
    save_model(
        folder, predictor, package="cnn-vision", recipe="untrained", builder="untrained", config={"kind": kind},
        golden={name: value[:2] for name, value in samples.items()}, samples=samples, preprocessing=WHOLE,
    )  # fmt: skip
    return folder


def _noise(spec: TensorSpec, random: torch.Generator) -> Tensor:
    shape = [size if isinstance(size, int) else 6 for size in spec.shape]
    if spec.dtype == "uint8":
        return torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)
    return torch.randn(shape, generator=random)
