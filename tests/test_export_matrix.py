"""Every form of bundle × every family of model: works with parity, or is refused with the reason."""

import shutil
from pathlib import Path

import pytest
import torch

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.cnn_vision", reason="needs the package that trains these nets")
pytest.importorskip("torchworks.gans", reason="needs the package that trains these nets")

from torchworks.cnn_vision.classification.predictor import build_classifier, classifier_config
from torchworks.gans.models.config import CGANNet, DCGANNet, TranslatorNet
from torchworks.gans.noise.predictor import build_generator, generator_config
from torchworks.gans.translation.predictor import build_translator, translator_config
from torchworks.serving.bundle import open_bundle, read_bundle
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export.commands import Export
from torchworks.serving.export.run import export, folder_of
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import Predictor, save_model

pytestmark = pytest.mark.slow

FAMILIES = {
    "vgg": "vgg11_bn",
    "resnet": "resnet20",
    "densenet": "densenet121",
    "efficientnet": "efficientnet_b0",
    "mobilenet": "mobilenet_v3_small",
}
UNPRUNED: dict[str, str] = {}
"""Why a family cannot be pruned."""
FLOATING = ("generator", "conditional generator")
"""Families that do not get smaller by int8."""
DIGITS = tuple("0123456789")


def classifier(model: str) -> tuple[str, dict, Predictor, dict]:
    config = classifier_config(model, 32, 1, DIGITS, True, None, [0.5], [0.25])
    images = torch.randint(0, 256, (6, 1, 32, 32), dtype=torch.uint8)
    return "cnn-vision-classifier", config, build_classifier(config), {"image": images}


def generator(classes: tuple[str, ...]) -> tuple[str, dict, Predictor, dict]:
    net = CGANNet(latent_dim=8, width=8) if classes else DCGANNet(latent_dim=8, width=8)
    config = generator_config(net, 16, 1, classes)
    labels = {"label": torch.arange(6)} if classes else {}
    return "gans-generator", config, build_generator(config), {"latent": torch.randn(6, 8), **labels}


def translator() -> tuple[str, dict, Predictor, dict]:
    net = TranslatorNet(width=8, blocks=1)
    config = translator_config(net, 16, 1, 1, "ab")
    images = torch.randint(0, 256, (6, 1, 16, 16), dtype=torch.uint8)
    return "gans-translator", config, build_translator(config), {"image": images}


def finished(folder: Path, kind: str) -> Path:
    """A run with an untrained model of this kind."""
    torch.manual_seed(0)
    if kind in FAMILIES:
        builder, config, predictor, samples = classifier(FAMILIES[kind])
    elif kind == "translator":
        builder, config, predictor, samples = translator()
    else:
        builder, config, predictor, samples = generator(DIGITS if kind == "conditional generator" else ())
    save_model(
        folder, predictor, package=builder.rpartition("-")[0], recipe="untrained", builder=builder, config=config,
        golden={name: value[:2] for name, value in samples.items()}, samples=samples,
    )  # fmt: skip
    return folder


KINDS = (*FAMILIES, "generator", "conditional generator", "translator")
LONG = (*(kind for kind in FAMILIES if kind != "resnet"), "conditional generator")
"""Many layers, which take half a minute to minutes in each form, and what is a generator but for its labels."""


def each(*, long: tuple[str, ...] = LONG) -> pytest.MarkDecorator:
    """All kinds, the `long` ones not in CI."""
    kinds = [pytest.param(kind, marks=pytest.mark.long if kind in long else ()) for kind in KINDS]
    return pytest.mark.parametrize("kind", kinds)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    return {kind: finished(tmp_path_factory.mktemp("runs") / kind.replace(" ", "-"), kind) for kind in KINDS}


def made(settings: Export) -> Path:
    export(settings)
    return folder_of(settings)


def check_bundle(folder: Path) -> None:
    """That the bundle opens, replays its golden example and takes any number of rows."""
    bundle = open_bundle(folder)
    engine = open_engine(bundle, trust_code=True)
    check_golden(bundle, engine)
    given, _ = bundle.golden()
    for rows in (1, 2):
        found = engine.run({name: value[:rows] for name, value in given.items()})
        bundle.manifest.signature.check_outputs(found, {"N": rows})


@pytest.mark.parametrize("form", ["onnx", "torchscript", "pt2", "safetensors"])
@each()
def test_every_family_in_every_form_answers_as_trained(runs, tmp_path, kind, form):
    folder = made(Export(runs[kind], format=form, out=tmp_path / "bundle", seconds=0))
    check_bundle(folder)
    assert read_bundle(folder).parity["models"][form]["largest"] < 1e-4


@pytest.mark.timeout(3600)
@pytest.mark.skipif(shutil.which("g++") is None, reason="aoti is compiled, and there is no g++ here")
@each(long=tuple(kind for kind in KINDS if kind != "generator"))
def test_every_family_compiled_answers_as_trained(runs, tmp_path, kind):
    check_bundle(made(Export(runs[kind], format="aoti", out=tmp_path / "bundle", seconds=0)))


def test_a_translator_goes_both_ways(runs, tmp_path):
    there, back = (
        made(Export(runs["translator"], out=tmp_path / way, direction=way, seconds=0)) for way in ("ab", "ba")
    )
    assert [read_bundle(folder).direction for folder in (there, back)] == ["ab", "ba"]
    assert [read_bundle(folder).name for folder in (there, back)] == ["untrained-ab", "untrained-ba"]
    outputs = [open_bundle(folder).golden()[1]["image"] for folder in (there, back)]
    assert abs(outputs[0] - outputs[1]).max() > 1e-3


@each()
def test_every_family_gets_smaller_by_pruning_or_is_refused_with_the_reason(runs, tmp_path, kind):
    settings = Export(runs[kind], prune=0.3, max_loss=1, out=tmp_path / "bundle", seconds=0)
    if kind in UNPRUNED:
        with pytest.raises(UserError, match=UNPRUNED[kind]):
            made(settings)
        return
    check_bundle(made(settings))
    models = read_bundle(settings.out).parity["models"]
    assert models["onnx, pruned"]["parameters"] <= 0.7 * models["trained"]["parameters"]


@each()
def test_every_family_gets_smaller_by_int8_or_is_refused_with_the_reason(runs, tmp_path, kind):
    settings = Export(runs[kind], quantize="int8", max_loss=1, out=tmp_path / "bundle", seconds=0)
    if kind in FLOATING:
        with pytest.raises(UserError, match="8-bit integers are of no use for this model"):
            made(settings)
        return
    check_bundle(made(settings))
    models = read_bundle(settings.out).parity["models"]
    assert models["onnx, int8"]["bytes"] < 0.6 * models["onnx"]["bytes"]
