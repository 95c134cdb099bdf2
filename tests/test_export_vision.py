"""Every form of bundle × every kind of vision model that answers with more than a class: works with parity, or is
refused with the reason. Boxes and masks are those of the trained net."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.cnn_vision", reason="needs the package that trains these nets")

from torchworks.cnn_vision.anomaly.predictor import build_anomaly
from torchworks.cnn_vision.autoencoders.predictor import build_autoencoder, build_sampler, build_vae, plain_config
from torchworks.cnn_vision.models.dense import create_detector, create_segmenter
from torchworks.cnn_vision.style.predictor import build_adain, build_fast_style
from torchworks.serving.bundle import open_bundle, read_bundle
from torchworks.serving.codecs import read_letterboxed
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export import speed
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.serving.limits import Limits
from torchworks.shared.config import UserError
from torchworks.shared.data.boxes.sample import Letterbox
from torchworks.shared.data.images import picture as whole_picture
from torchworks.shared.models import predictor as predict
from torchworks.shared.models.predictor import Predictor, save_model
from torchworks.shared.models.signature import Signature, TensorSpec

# torchvision and the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
SIZE, THINGS, PIXELS = 64, ("bird", "car"), ("background", "land", "sky")
WHOLE = {"image": {"size": SIZE, "mode": "RGB", "fit": "letterbox"}}


class Finder(Predictor):
    """A detector as a user has it: image → boxes, score, label and, of nets with masks, instance."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        boxes, score, label, *masks = self.net.detect(inputs[0].float() / 128 - 1)  # ty: ignore[not-callable]
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


def segmenter(model: str, **options: int) -> Predictor:
    mask = TensorSpec("mask", "mask", "uint8", ("N", SIZE, SIZE), labels=PIXELS)
    confidence = TensorSpec("confidence", "mask", "float32", ("N", SIZE, SIZE), low=0.0, high=1.0)
    net = create_segmenter(model, num_classes=len(PIXELS), **options)
    return Segmenter(net, Signature((image(SIZE),), (mask, confidence)))


def anomaly() -> Predictor:
    config = {"channels": 3, "image_size": 32, "backbone": "small", "memory": 20, "neighbours": 3}
    predictor = build_anomaly(config)
    torch.nn.init.normal_(predictor.net.memory)  # ty: ignore[invalid-argument-type]
    return predictor


PLAIN = plain_config(16, 1, 8, 4)
MODELS = {
    "ssd": lambda: finder("ssd_resnet20"),
    "yolo": lambda: finder("yolo_resnet20"),
    "faster r-cnn": lambda: finder("fasterrcnn_resnet20_fpn"),
    "mask r-cnn": lambda: finder("maskrcnn_resnet20_fpn"),
    "deeplab": lambda: segmenter("deeplabv3_resnet20"),
    "unet": lambda: segmenter("unet", width=8),
    "autoencoder": lambda: build_autoencoder(PLAIN),
    "vae": lambda: build_vae(PLAIN),
    "sampler": lambda: build_sampler(PLAIN),
    "anomaly": anomaly,
    "adain": lambda: build_adain({"size": 32, "architecture": "small"}),
    "fast style": lambda: build_fast_style({"width": 8, "blocks": 1, "size": 32}),
}
FORMS = ("onnx", "safetensors", "pt2", "torchscript")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Untrained models, whose builder no package offers, and hardly any measuring of speed."""
    monkeypatch.setattr(predict, "find_builder", lambda name, package: lambda config: MODELS[config["kind"]]())
    monkeypatch.setattr(speed, "LEAST", 1)
    monkeypatch.setattr(speed, "WARM_UP", 0)


def finished(folder: Path, kind: str) -> Path:
    """A run with an untrained model, whose batch normalization has seen images."""
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


@pytest.mark.parametrize(("width", "height"), [(500, 300), (90, 200), (64, 64), (20, 31)])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_service_sees_a_whole_picture_as_training_does_and_maps_boxes_back_alike(tmp_path, width, height, form):
    values = np.random.default_rng(0).integers(0, 256, (height // 10 + 1, width // 10 + 1, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6 if form == "JPEG" else 1  # lying on its side
    lying = (height, width) if form == "JPEG" else (width, height)
    Image.fromarray(values).resize(lying).save(tmp_path / "a", form, exif=exif)
    trained = Letterbox(width, height, SIZE)
    wanted = np.array(trained.picture(whole_picture(tmp_path / "a", least=2 * SIZE)))
    found, (box,) = read_letterboxed([(tmp_path / "a").read_bytes()], image(SIZE), Limits())
    np.testing.assert_array_equal(found[0].transpose(1, 2, 0), wanted)
    boxes = torch.rand(50, 4) * 1.2 * SIZE - 3
    np.testing.assert_array_equal(box.boxes_back(boxes.numpy()), trained.back(boxes).numpy())


def made(run: Path, **asked) -> Path:
    settings = Export(run, seconds=0, **asked)
    export(settings)
    return folder_of(settings)


def check_bundle(folder: Path) -> dict:
    """That the bundle replays its golden example and takes any number of rows; what it says of its likeness."""
    bundle = open_bundle(folder)
    engine = open_engine(bundle, trust_code=True)
    check_golden(bundle, engine)
    given, _ = bundle.golden()
    for rows in (1, 2):
        found = engine.run({name: value[:rows] for name, value in given.items()})
        bundle.manifest.signature.check_outputs(found, {"N": rows})
    return bundle.manifest.parity["models"][bundle.manifest.form]


UNTRACED = ("ssd", "yolo", "faster r-cnn", "mask r-cnn")
"""Kinds that TorchScript cannot hold."""
SHORT = {("yolo", "onnx"), ("unet", "onnx"), ("anomaly", "onnx"), ("ssd", "torchscript"), ("sampler", "pt2")}
"""Of each form and each kind of answer one; the others take minutes together."""
EACH = [
    pytest.param(kind, form, marks=pytest.mark.slow if (kind, form) in SHORT else pytest.mark.long, id=f"{kind}-{form}")
    for kind in MODELS
    for form in FORMS
]


@pytest.mark.parametrize(("kind", "form"), EACH)
def test_every_kind_in_every_form_answers_as_trained_or_is_refused_with_the_reason(tmp_path, kind, form):
    run = finished(tmp_path / "run", kind)
    if form == "torchscript" and kind in UNTRACED:
        with pytest.raises(UserError, match="TorchScript traces what one run does"):
            made(run, format=form)
        return
    figures = check_bundle(made(run, format=form))
    assert figures["largest"] < 1e-2 if kind in UNTRACED else figures["largest"] < 1e-3
    assert all(share >= 0.999 for share in figures["shares"].values())


def test_a_detector_is_not_pruned_and_the_reason_is_given(tmp_path):
    with pytest.raises(UserError, match="several last layers"):
        made(finished(tmp_path / "run", "ssd"), prune=0.3)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["unet", "deeplab", "ssd", "yolo"])
def test_what_int8_costs_is_told_by_boxes_and_masks_or_it_is_refused(tmp_path, kind):
    manifest = read_bundle(made(finished(tmp_path / "run", kind), quantize="int8", max_loss=1))
    assert "trained model's" in manifest.score
    assert manifest.scores["eager"] == 1
