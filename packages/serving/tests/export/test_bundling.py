"""A finished run becomes a bundle that answers as the trained model does, or nothing at all with the reason."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torch_pruning", reason="exporting needs serving[export]")

import onnx

from torchworks.serving.bundle import BUNDLE, PARITY, open_bundle, read_bundle
from torchworks.serving.engine import check_golden, open_engine
from torchworks.serving.export import bundling, run
from torchworks.serving.export.commands import Export
from torchworks.serving.export.prune import last_layer, reestimate
from torchworks.serving.export.run import export, export_for_serving, folder_of
from torchworks.serving.export.trained import parameters
from torchworks.shared import cli
from torchworks.shared.config import UserError
from torchworks.shared.models.predictor import Predictor, save_model

STRANGER = """
import torch
from torch import nn
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

IMAGE = TensorSpec("image", "image", "uint8", ("N", 1, 8, 8))
LABELS = tuple("0123456789")
PROBABILITY = TensorSpec("probability", "label", "float32", ("N", 10), 0, 1, LABELS)

def conv(a, b):
    return [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]

class Reader(Predictor):
    "Reads digits by convolutions."
    def __init__(self, config):
        layers = [*conv(1, 16), *conv(16, 48), *conv(48, 48), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(768, 10)]
        super().__init__(nn.Sequential(*layers), Signature((IMAGE,), (PROBABILITY,)))
    def forward(self, image):
        return self.net(image.float() / 255).softmax(1)

class Moody(Reader):
    "Answers by another rule for more than three rows: a graph traced by two and tried with three does not know it."
    def forward(self, image):
        logits = self.net(image.float() / 255)
        return (3 * logits if image.shape[0] > 3 else logits).softmax(1)

class Series(Predictor):
    "Reads digits row by row."
    def __init__(self, config):
        net = nn.ModuleDict({"lstm": nn.LSTM(8, 32, batch_first=True), "head": nn.Linear(32, 10)})
        super().__init__(net, Signature((IMAGE,), (PROBABILITY,)))
    def forward(self, image):
        return self.net["head"](self.net["lstm"](image.float()[:, 0] / 255)[0][:, -1]).softmax(1)

class Painter(Predictor):
    "Paints images from noise by transposed convolutions."
    def __init__(self, config):
        layers = [nn.ConvTranspose2d(16, 64, 4), nn.ReLU(), nn.ConvTranspose2d(64, 1, 4, 2, 1)]
        latent = TensorSpec("latent", "latent", "float32", ("N", 16), **config["limits"])
        image = TensorSpec("image", "image", "float32", ("N", 1, 8, 8), 0, 1)
        super().__init__(nn.Sequential(nn.Unflatten(1, (16, 1, 1)), *layers), Signature((latent,), (image,)))
    def forward(self, latent):
        return self.net(latent).sigmoid()
"""
DIGITS = load_digits()
IMAGES = torch.from_numpy(DIGITS.images * 255 / 16).to(torch.uint8)[:, None]
LABELS = torch.from_numpy(DIGITS.target)
TEST = slice(1400, 1797)
QUICK = 0.001
"""Seconds to measure speed for, where it is of no interest."""


@pytest.fixture(scope="module", autouse=True)
def stranger(tmp_path_factory):
    """An installed package that offers builders."""
    place = tmp_path_factory.mktemp("site")
    info = place / "strangers-1.0.dist-info"
    info.mkdir()
    (place / "strangers_nets.py").write_text(STRANGER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    points = [f"{name.lower()} = strangers_nets:{name}" for name in ("Reader", "Moody", "Series", "Painter")]
    (info / "entry_points.txt").write_text("\n".join(["[torchworks.builders]", *points]))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)
        yield


def saved(folder: Path, kind: str, *, steps: int = 0, config: dict | None = None, **about) -> Path:
    """A finished run with a model of the builder `kind`, trained for so many steps."""
    import strangers_nets

    torch.manual_seed(0)
    predictor = getattr(strangers_nets, kind)(config or {})
    fit(predictor, steps)
    save_model(
        folder, predictor, package="strangers", recipe="plain", builder=kind.lower(), config=config or {}, **about
    )
    return folder


def reader(folder: Path, kind: str = "Reader", steps: int = 0) -> Path:
    """A run whose net knows digits by images that it has not seen."""
    images, labels = IMAGES[TEST], LABELS[TEST]
    samples = {"samples": {"image": images}, "targets": {"probability": labels}}
    return saved(folder, kind, steps=steps, golden={"image": images[:2]}, labels=tuple("0123456789"), **samples)


def fit(predictor: Predictor, steps: int) -> None:
    optimizer = torch.optim.Adam(predictor.parameters(), lr=3e-3)
    for i in range(steps):
        rows = torch.arange(64 * i, 64 * i + 64) % TEST.start
        loss = nn.functional.nll_loss(predictor(IMAGES[rows]).clamp_min(1e-9).log(), LABELS[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """A run whose net reads digits well."""
    return reader(tmp_path_factory.mktemp("runs") / "digits", steps=60)


@pytest.fixture(scope="module")
def plain(digits) -> Path:
    """Its ONNX bundle, not compressed. To be read only."""
    return made(digits, out=digits.with_name("bundle"))


def made(folder: Path, **options) -> Path:
    settings = Export(folder, seconds=QUICK, **options)
    export(settings)
    return folder_of(settings)


def answers(bundle: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return open_engine(open_bundle(bundle), trust_code=True).run(inputs)


# ---- a bundle is what it says ----------------------------------------------------------------------------


def test_an_onnx_bundle_answers_as_the_trained_model_for_any_number_of_rows(digits, plain):
    from torchworks.shared.models.predictor import load_predictor

    predictor = load_predictor(digits)
    for rows in (1, 3, 40):
        image = IMAGES[:rows]
        wanted = predictor.predict({"image": image})["probability"].numpy()
        np.testing.assert_allclose(answers(plain, {"image": image.numpy()})["probability"], wanted, atol=1e-5)


def test_an_onnx_bundle_names_inputs_outputs_and_the_open_size_as_the_signature_does(plain):
    graph = onnx.load(plain / "model.onnx").graph
    assert [value.name for value in (*graph.input, *graph.output)] == ["image", "probability"]
    assert [value.type.tensor_type.shape.dim[0].dim_param for value in (*graph.input, *graph.output)] == ["N", "N"]
    assert read_bundle(plain).versions["opset"] == "20"
    assert onnx.load(plain / "model.onnx").ir_version == 9


def test_the_folder_of_a_bundle_says_what_was_done_to_the_model(tmp_path):
    named = {
        "bundle-onnx": {},
        "bundle-safetensors": {"format": "safetensors"},
        "bundle-onnx-int8": {"quantize": "int8"},
        "bundle-onnx-pruned30": {"prune": 0.3},
        "bundle-onnx-ba-pruned12.5-int8": {"direction": "ba", "prune": 0.125, "quantize": "int8"},
    }
    assert {name: folder_of(Export(tmp_path, **options)).name for name, options in named.items()} == {
        name: name for name in named
    }


def test_a_bundle_replays_its_golden_example_and_names_the_files_it_uses(plain):
    bundle = open_bundle(plain)
    assert check_golden(bundle, open_engine(bundle)) < 1e-5
    named = {entry.name for entry in bundle.manifest.files}
    assert named | {BUNDLE} == {path.name for path in plain.iterdir()}


@pytest.mark.parametrize("form", ["onnx", "safetensors"])
def test_every_file_of_a_bundle_can_be_read_by_whom_the_umask_lets_read(digits, tmp_path, form):
    """A container runs as another user than the one who exported."""
    before = os.umask(0o022)
    try:
        folder = made(digits, format=form, out=tmp_path / "bundle")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes == {"bundle": 0o755} | {path.name: 0o644 for path in folder.iterdir()}


def test_a_bundle_knows_its_scores_figures_and_origin(plain):
    manifest = read_bundle(plain)
    assert manifest.score == "accuracy"
    assert manifest.scores["eager"] == manifest.scores["exported"] > 0.9
    models = manifest.parity["models"]
    assert list(models) == ["trained", "onnx"]
    assert [speed["batch"] for speed in models["onnx"]["speed"]] == [1, 8, 32]
    assert (manifest.name, manifest.recipe, manifest.labels) == ("plain", "plain", tuple("0123456789"))


def test_an_onnx_bundle_is_served_without_torch(plain):
    code = (
        "import sys; from pathlib import Path; from torchworks.serving.bundle import open_bundle;"
        "from torchworks.serving.engine import check_golden, open_engine;"
        f"b = open_bundle(Path({str(plain)!r})); check_golden(b, open_engine(b)); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_parity_md_is_a_table_with_samples_hardware_and_versions(plain):
    text = (plain / PARITY).read_text()
    for words in ("|  | trained | onnx |", "| accuracy |", "test data of the run", "99th percentile", "onnxruntime"):
        assert words in text
    assert read_bundle(plain).machine in text


def test_the_command_tells_its_options_without_torch():
    code = (
        "import sys, torchworks.serving.export.commands, torchworks.serving.export.run; print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize("form", ["torchscript", "pt2", "safetensors"])
def test_every_form_answers_as_the_trained_model(digits, plain, tmp_path, form):
    bundle = made(digits, format=form, out=tmp_path / form)
    image = {"image": IMAGES[:5].numpy()}
    np.testing.assert_allclose(answers(bundle, image)["probability"], answers(plain, image)["probability"], atol=1e-5)
    assert read_bundle(bundle).legacy == ("ExecuTorch" in (bundle / PARITY).read_text()) == (form == "torchscript")


@pytest.mark.parametrize(("limits", "distribution"), [({}, "normal"), ({"low": -1.0, "high": 1.0}, "uniform")])
def test_a_generator_is_compared_over_noise_and_says_how_to_draw_it(tmp_path, limits, distribution):
    folder = saved(tmp_path / "run", "Painter", config={"limits": limits}, golden={"latent": torch.zeros(2, 16)})
    manifest = read_bundle(made(folder))
    assert manifest.defaults == {"latent": distribution}
    assert manifest.scores == pytest.approx({"eager": 0, "exported": 0}, abs=1e-6)


def test_a_model_that_has_one_row_to_be_traced_by_answers_any_number(tmp_path):
    bundle = made(saved(tmp_path / "run", "Reader", golden={"image": IMAGES[:1]}))
    assert answers(bundle, {"image": IMAGES[:3].numpy()})["probability"].shape == (3, 10)


def test_a_model_whose_weights_are_held_fast_is_exported_with_all_of_them_counted(tmp_path, monkeypatch):
    import strangers_nets

    made_before = strangers_nets.Reader.__init__

    def frozen(self, config):
        made_before(self, config)
        self.requires_grad_(False)

    folder = reader(tmp_path / "run")
    plain = read_bundle(made(folder)).parity["models"]["trained"]["parameters"]
    monkeypatch.setattr(strangers_nets.Reader, "__init__", frozen)
    bundle = made(folder, out=tmp_path / "frozen")
    assert read_bundle(bundle).parity["models"]["trained"]["parameters"] == plain > 0


# ---- for serving -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_is_exported_for_serving_once_and_again_when_its_model_has_changed(tmp_path):
    folder = reader(tmp_path / "run")
    bundle = export_for_serving(folder)
    written = (bundle / BUNDLE).stat().st_mtime_ns
    assert (export_for_serving(folder) / BUNDLE).stat().st_mtime_ns == written
    reader(folder, steps=2)
    assert (export_for_serving(folder) / BUNDLE).stat().st_mtime_ns != written


# ---- smaller ---------------------------------------------------------------------------------------------


def test_int8_is_smaller_and_loses_at_most_half_a_point(digits, plain, tmp_path):
    small = made(digits, quantize="int8", out=tmp_path / "small")
    manifest = read_bundle(small)
    assert manifest.scores["exported"] >= manifest.scores["eager"] - 0.005
    assert (small / "model.onnx").stat().st_size < 0.5 * (plain / "model.onnx").stat().st_size
    assert "static" in (small / PARITY).read_text()
    model = onnx.load(small / "model.onnx")
    kinds = {node.op_type for node in model.graph.node}
    assert model.ir_version == 9
    assert "QuantizeLinear" in kinds
    assert "BatchNormalization" not in kinds


@pytest.mark.slow
def test_int8_of_a_recurrent_net_is_dynamic(tmp_path):
    folder = reader(tmp_path / "run", "Series", steps=40)
    small = made(folder, quantize="int8", max_loss=0.05)
    assert "dynamic, because the graph is recurrent (LSTM)" in (small / PARITY).read_text()
    assert "DynamicQuantizeLSTM" in {node.op_type for node in onnx.load(small / "model.onnx").graph.node}


def test_int8_is_refused_where_it_would_not_help(tmp_path):
    folder = saved(tmp_path / "run", "Painter", config={"limits": {}}, golden={"latent": torch.zeros(2, 16)})
    with pytest.raises(UserError, match=r"only 0% of its weights .* ConvTranspose 100%"):
        made(folder, quantize="int8")


@pytest.mark.slow
def test_a_pruned_model_really_has_smaller_tensors(digits, plain, tmp_path):
    small = made(digits, prune=0.3, max_loss=1, out=tmp_path / "small")
    sizes = [sum(int(np.prod(t.dims)) for t in onnx.load(b / "model.onnx").graph.initializer) for b in (small, plain)]
    assert sizes[0] <= 0.75 * sizes[1]
    models = read_bundle(small).parity["models"]
    assert models["onnx, pruned"]["parameters"] <= 0.7 * models["trained"]["parameters"]


def test_pruning_never_takes_channels_of_the_answer(digits):
    from torchworks.shared.models.predictor import load_predictor

    predictor = load_predictor(digits)
    assert last_layer(predictor, (IMAGES[:2],)) is predictor.net[-1]


def test_batch_normalisation_is_estimated_anew_from_samples():
    net = nn.Sequential(nn.BatchNorm1d(3))
    rows = 5 + 2 * torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    reestimate(net, [(part,) for part in rows.split(100)])
    torch.testing.assert_close(net[0].running_mean, torch.full((3,), 5.0), atol=0.1, rtol=0)
    torch.testing.assert_close(net[0].running_var, torch.full((3,), 4.0), atol=0.2, rtol=0)
    assert not net[0].training


# ---- refused, and nothing is left ------------------------------------------------------------------------


def refused(match: str, settings: Export) -> None:
    before = sorted(settings.run.iterdir()) if settings.run.is_dir() else []
    with pytest.raises(UserError, match=match):
        export(settings)
    assert (sorted(settings.run.iterdir()) if settings.run.is_dir() else []) == before


def test_a_loss_beyond_the_limit_fails_and_leaves_nothing(digits):
    refused("its accuracy over 298 samples is", Export(digits, format="pt2", prune=0.9, max_loss=0.005, seconds=QUICK))


def test_a_model_that_answers_differently_once_converted_fails_and_leaves_nothing(tmp_path):
    folder = reader(tmp_path / "run", "Moody", steps=20)
    refused("answers differently: over 298 samples", Export(folder, format="torchscript"))


def test_a_model_that_is_no_graph_is_refused_with_the_reason(tmp_path):
    refused("cannot capture this model as a graph", Export(reader(tmp_path / "run", "Moody"), format="pt2"))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"format": "pt2", "quantize": "int8"}, "--quantize needs --format onnx"),
        ({"format": "safetensors", "prune": 0.3}, "other shapes than the ones that its builder makes"),
        ({"prune": 1.5}, "at least 0 and below 1, but it is 1.5"),
        pytest.param({"prune": 0.97}, "of this net's weights can be removed", marks=pytest.mark.slow),
        ({"format": "tensorrt"}, "There is no format 'tensorrt'. Formats: onnx, "),
        ({"name": "../up"}, "must be lower-case letters"),
        ({"name": "a" * 65}, "at most 64"),
        ({"direction": "ba"}, "one direction only"),
    ],
)
def test_options_that_cannot_be_are_refused_with_the_reason(digits, options, match):
    refused(match, Export(digits, **options))


def test_a_run_that_is_none_is_refused_with_the_reason(tmp_path):
    refused("There is no run directory", Export(tmp_path / "nowhere"))
    (tmp_path / "config.json").write_text(json.dumps({"package": "gans"}))
    refused("Finish it with `gans train --resume", Export(tmp_path))
    (tmp_path / "config.json").unlink()
    reader(tmp_path / "001")
    refused("Did you mean .*001", Export(tmp_path))


def test_a_run_of_a_package_that_is_not_installed_is_refused(digits, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(digits, folder)
    values = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(values | {"builder": "unknown"}))
    refused("Install the package 'strangers'", Export(folder))


def test_missing_libraries_are_named(digits, monkeypatch):
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == "onnxscript" else name)
    refused(r"needs onnxscript, .* Install serving\[export\]", Export(digits))


def test_no_compiler_is_said_before_any_work(digits, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    refused("no C\\+\\+ compiler 'no-such-compiler'", Export(digits, format="aoti"))


def test_what_is_there_is_replaced_only_when_asked_and_only_a_bundle(digits, plain, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(plain, bundle)
    refused("Add --overwrite to replace it", Export(digits, out=bundle))
    written = (bundle / BUNDLE).stat().st_mtime_ns
    made(digits, out=bundle, overwrite=True)
    assert (bundle / BUNDLE).stat().st_mtime_ns != written
    (tmp_path / "thesis").mkdir()
    refused("is not a bundle, so it is left alone", Export(digits, out=tmp_path / "thesis", overwrite=True))


def test_a_full_disk_is_one_paragraph_and_leaves_nothing(digits, monkeypatch, tmp_path, capsys):
    def full(path, *_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    commands = {"export": cli.Command(Export, "torchworks.serving.export.run:run")}
    assert cli.main("serving", "", commands, ["export", str(digits), "--out", str(tmp_path / "bundle")]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_to_is_one_paragraph(digits, monkeypatch, tmp_path, capsys):
    def denied(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "mkdir", denied)
    commands = {"export": cli.Command(Export, "torchworks.serving.export.run:run")}
    assert cli.main("serving", "", commands, ["export", str(digits), "--out", str(tmp_path / "bundle")]) == 1
    assert "Permission denied" in capsys.readouterr().err


def test_an_export_that_is_stopped_leaves_nothing(digits, monkeypatch, tmp_path):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(bundling, "race", stopped)
    with pytest.raises(KeyboardInterrupt):
        export(Export(digits, out=tmp_path / "bundle", seconds=QUICK))
    assert list(tmp_path.iterdir()) == []


class Timed(nn.Module):
    """Says something learned, and when, which is not learned."""

    def __init__(self) -> None:
        super().__init__()
        self.heard, self.unheard = nn.Linear(4, 2), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.heard(x), torch.arange(len(x)) * 0.01


def test_weights_are_counted_beside_outputs_that_no_gradient_comes_from():
    assert parameters(Timed(), (torch.zeros(2, 4),)) == 4 * 2 + 2
