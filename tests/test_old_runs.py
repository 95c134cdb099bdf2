"""Runs that an older build trained (`old_runs/`, see the README there) still load, answer, score, continue and export.

Each archive is a run of another kind of model, made at commit 31dce8b. Everything goes through the command lines, the
files of a run and those of a bundle, so that it does not matter where the code lies. fp32 on the CPU throughout.

Not there: `cnn-vision-vae-sampler` has no archive of its own; it is the folder `sampler` in that of `vae`. Recipes that
differ by their settings alone (transfer, denoise, cells, dcgan-paper) save the models of classifier, autoencoder, unet
and dcgan. Weights that are downloaded, and timm's models, have none.
"""

import hashlib
import json
import lzma
import runpy
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

pytest.importorskip("onnxscript", reason="exporting needs serving[export]")
pytest.importorskip("torchworks.cnn_vision", reason="needs the package that trained these runs")
pytest.importorskip("torchworks.gans", reason="needs the package that trained these runs")

# torchvision and the exporters warn of what they do themselves
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

ARCHIVES = {path.name.removesuffix(".tar.xz"): path for path in sorted(Path(__file__).parent.glob("old_runs/*.tar.xz"))}
NEED_FEATURES = ("anomaly", "style-fast", "style-adain")
"""Runs whose configuration names the feature net of the run `features` beside them."""
NOT_SCORED = ("features", "autoencoder", "vae", "anomaly", "style-fast", "style-adain")
"""Runs that are used by other commands than `evaluate`."""
READ_AGAINST = ("_baseline", "_chance", "_commonest_class", "_constant_guess", "_floor", "_real")
"""Ends of the names of figures that the commands copy or that do not depend on the run."""
SLOW_TO_EXPORT = ("mask-rcnn", "faster-rcnn", "ssd", "deeplab")
EXPORTED_NEW = ("faster-rcnn", "ssd", "yolo", "deeplab")
"""Runs of models whose export to ONNX test_export_vision.py looks at too, where no old run is opened for it."""
SLOW_TO_SCORE = ("dcgan", "cgan", "r3gan", "cyclegan", "pix2pix", "driver")


def names_of(pattern: str) -> list[str]:
    """Archives with a file whose name ends so."""
    found = []
    for name, path in ARCHIVES.items():
        with lzma.open(path) as raw, tarfile.open(fileobj=raw) as tar:
            if any(member.endswith(pattern) for member in tar.getnames()):
                found.append(name)
    return found


CONTINUED = names_of("resumed.json")


def each(names: list[str], *, slow: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=pytest.mark.slow if name in slow else ()) for name in names]
    )


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """A function that unpacks a run into the working directory, as it lay when it was trained."""
    monkeypatch.chdir(tmp_path)

    def unpack(name: str) -> Path:
        for part in (name, *(["features"] if name in NEED_FEATURES else [])):
            with lzma.open(ARCHIVES[part]) as raw, tarfile.open(fileobj=raw) as tar:
                tar.extractall(filter="data")
        return Path(name)

    return unpack


@pytest.fixture
def command(monkeypatch, capfd):
    """A function that runs a command line of a package; it fails with what was printed unless the exit code is 0."""

    def run(package: str, *words: object) -> None:
        monkeypatch.setattr(sys, "argv", [package, *map(str, words)])
        with pytest.raises(SystemExit) as exit:
            runpy.run_module(f"torchworks.{package.replace('-', '_')}", run_name="__main__")
        assert not exit.value.code, "".join(capfd.readouterr())

    return run


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def package_of(run: Path) -> str:
    return read(run / "config.json")["package"]


def test_every_builder_of_that_build_has_a_stored_run(unpacked):
    for name in ARCHIVES:
        unpacked(name)
    stored = {read(path)["builder"] for path in Path().rglob("model.json")}
    assert stored == {
        "cnn-vision-classifier", "cnn-vision-findings", "cnn-vision-speed", "cnn-vision-autoencoder", "cnn-vision-vae",
        "cnn-vision-vae-sampler", "cnn-vision-anomaly", "cnn-vision-features", "cnn-vision-style-fast",
        "cnn-vision-style-adain", "cnn-vision-segmenter", "cnn-vision-driver", "cnn-vision-detector",
        "gans-generator", "gans-translator",
    }  # fmt: skip


# ---- answers ---------------------------------------------------------------------------------------------


def judge_by_golden(run: Path) -> None:
    """Make the inputs of the golden example the run's test data, so that a bundle keeps the outputs for them."""
    golden = load_file(run / "golden.safetensors")
    save_file({name: value for name, value in golden.items() if name.startswith("input.")}, run / "samples.safetensors")
    content, manifest = (run / "samples.safetensors").read_bytes(), read(run / "model.json")
    others = [entry for entry in manifest["files"] if entry["name"] != "samples.safetensors"]
    entry = {"name": "samples.safetensors", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (run / "model.json").write_text(json.dumps({**manifest, "files": [*others, entry]}))


def check_golden(run: Path, bundle: Path) -> None:
    """That the model which was exported, run by PyTorch, gives the outputs that the run stored."""
    before, now = (load_file(folder / "golden.safetensors") for folder in (run, bundle))
    tolerance = read(run / "model.json")["tolerance"]
    assert before.keys() == now.keys()
    for name, value in before.items():
        assert value.dtype == now[name].dtype
        np.testing.assert_allclose(now[name], value, rtol=tolerance, atol=tolerance, err_msg=name)


@each([*ARCHIVES, "vae/sampler"], slow=SLOW_TO_EXPORT)
def test_it_loads_and_gives_the_golden_outputs(unpacked, command, name):
    unpacked(name.partition("/")[0])
    judge_by_golden(Path(name))
    command("serving", "export", name, "--format", "safetensors", "--seconds", 0, "--out", "bundle")
    check_golden(Path(name), Path("bundle"))


# ---- scores ----------------------------------------------------------------------------------------------

JUDGED = ("fd_", "kd_", "precision", "recall", "class", "label_accuracy")
"""Scores by a judge, a net that is trained on each machine anew, and ends a little differently on another CPU."""


@each([name for name in ARCHIVES if name not in NOT_SCORED], slow=SLOW_TO_SCORE)
def test_it_is_evaluated_to_the_scores_it_ended_with(unpacked, command, name):
    run = unpacked(name)
    options = ["--no-cas"] if name == "cgan" else []
    command(package_of(run), "evaluate", run, "--device", "cpu", "--out", "evaluation", *options)
    before, now = read(run / "result.json"), read(Path("evaluation/evaluation.json"))
    scores = {key: value for key, value in before.items() if key in now and not key.endswith(READ_AGAINST)}
    numbers = {key: value for key, value in scores.items() if isinstance(value, float)}
    assert numbers, (before, now)
    for key, value in numbers.items():
        near = {"rel": 0.1, "abs": 0.02} if key.startswith(JUDGED) else {"rel": 1e-3, "abs": 1e-4}
        assert now[key] == pytest.approx(value, **near), key


@each(["autoencoder", "vae"])
def test_it_restores_images(unpacked, command, name):
    run = unpacked(name)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16)).astype(np.uint8)).save("digit.png")
    command("cnn-vision", "restore", run, "digit.png", "--out", "restored", "--device", "cpu")
    assert Image.open("restored/digit.png").size == (16, 16)


def test_a_vae_draws(unpacked, command):
    command("cnn-vision", "draw", unpacked("vae"), "--n", 4, "--out", "drawn.png", "--device", "cpu")
    assert np.asarray(Image.open("drawn.png")).std() > 0


@pytest.mark.slow
def test_a_memory_of_good_images_inspects_its_test_images(unpacked, command):
    command("cnn-vision", "inspect", unpacked("anomaly"), "--n", 2, "--out", "heat.png", "--device", "cpu")
    assert np.asarray(Image.open("heat.png")).std() > 0


@each(["style-fast", "style-adain"])
def test_it_paints(unpacked, command, name):
    style = ["brick"] if name == "style-adain" else []
    run = unpacked(name)
    command(
        "cnn-vision", "stylize", "china", *style, "--run", run, "--size", 32, "--out", "a.png", "--device", "cpu"
    )  # fmt: skip
    assert np.asarray(Image.open("a.png")).std() > 0


# ---- training goes on ------------------------------------------------------------------------------------


@each(CONTINUED, slow=SLOW_TO_SCORE)
def test_it_is_trained_further_as_the_older_build_would_have(unpacked, command, name):
    run = unpacked(name)
    expected = read(run / "resumed.json")
    command(package_of(run), "train", "--resume", run, "--trainer.steps", max(line["step"] for line in expected))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    found = {(line["step"], line["kind"]): line for line in lines}
    for line in expected:
        now = found[line["step"], line["kind"]]
        losses = [key for key in line if key.endswith("/loss")]
        assert losses or line["kind"] != "train"
        for key in losses:
            assert now[key] == pytest.approx(line[key], rel=0.02, abs=1e-3), (line["step"], key)
    assert read(run / "result.json")["steps"] == max(line["step"] for line in expected)


# ---- export ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.long] * (n in EXPORTED_NEW)) for n in [*ARCHIVES, "vae/sampler"]]
)
def test_its_onnx_bundle_answers_alike(unpacked, command, name):
    unpacked(name.partition("/")[0])
    command("serving", "export", name, "--seconds", 0, "--out", "bundle")
    command("serving", "check", "bundle")
    assert "onnx" in read(Path("bundle/serving.json"))["parity"]["models"]
