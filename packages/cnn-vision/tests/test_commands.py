"""The command line, from training to a report, on the bundled digits and on a folder of one's own."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared.cli import main
from torchworks.shared.config import recipes

HELP = [["--help"], ["list"], ["train", "classify", "--help"], *([name, "--help"] for name in COMMANDS)]
SHORT = ["--model", "mobilenet_v3_small", "--steps", "4", "--trainer.batch-size", "16", "--trainer.eval-every", "0"]


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short training on the digits."""
    folder = tmp_path_factory.mktemp("runs") / "001"
    assert vision("train", "classify", *SHORT, "--device", "cpu", "--out", folder) == 0
    return folder


@pytest.fixture
def digit(tmp_path):
    path = tmp_path / "digit.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)).save(path)
    return path


def test_help_never_imports_torch():
    script = (
        "import sys; from torchworks.cnn_vision.commands import COMMANDS; from torchworks.shared.cli import main\n"
        f"codes = [main('cnn-vision', default='classify', commands=COMMANDS, arguments=words) for words in {HELP}]\n"
        "assert codes == [0] * len(codes), codes\n"
        "heavy = {'torch', 'numpy', 'PIL', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_run_has_its_model_its_scores_and_a_baseline(run):
    result = json.loads((run / "result.json").read_text())
    assert result["steps"] == 4
    assert 0.9 < result["accuracy_baseline"] < 1
    assert 0 <= result["accuracy"] <= 1
    for name in ("model.safetensors", "model.json", "config.json", "env.json", "metrics.jsonl", "curves.png"):
        assert (run / name).is_file()


def test_predict_prints_the_likeliest_classes_and_writes_a_table(run, digit, capsys, tmp_path):
    table = tmp_path / "table.csv"
    assert vision("predict", run, digit, "--top", 2, "--csv", table) == 0
    line = capsys.readouterr().out.strip()
    assert line.startswith(str(digit))
    assert line.count("%") == 2
    with table.open() as file:
        head, row = csv.reader(file)
    assert head == ["path", "label", *"0123456789"]
    assert sum(map(float, row[2:])) == pytest.approx(1, abs=1e-4)


def test_predict_does_what_it_can_and_names_what_it_cannot_read(run, digit, capsys, tmp_path):
    (tmp_path / "broken.png").write_bytes(digit.read_bytes()[:40])
    assert vision("predict", run, tmp_path) == 2
    captured = capsys.readouterr()
    assert str(digit) in captured.out
    assert "broken.png" in captured.err


def test_evaluate_writes_a_report_that_needs_no_other_file(run, capsys):
    assert vision("evaluate", run) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1] == str(run / "evaluation")
    figures = json.loads((run / "evaluation" / "evaluation.json").read_text())
    result = json.loads((run / "result.json").read_text())
    assert figures["accuracy"] == pytest.approx(result["accuracy"], abs=1e-6)
    assert figures["accuracy_low"] <= figures["accuracy"] <= figures["accuracy_high"]
    assert [row["class"] for row in figures["classes"]] == list("0123456789")
    report = (run / "evaluation" / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 3
    assert "://" not in report


def test_data_with_other_classes_are_refused_by_name(run, tmp_path, capsys):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(4):
            pixels = np.random.default_rng(i).integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    assert vision("evaluate", run, "--data", f"folder:{tmp_path}") == 2
    assert "unknown to it cat, dog" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "resnet17"], "Did you mean 'resnet1"),
        (["--label-smoothing", "1.5"], "--label-smoothing must be from 0 to below 1"),
        (["--weight-decay", "-1"], "--weight-decay must be 0 or more"),
        (["--pretrained", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_what_cannot_be_is_said_in_one_paragraph_and_leaves_no_run(words, message, tmp_path, capsys):
    out = tmp_path / "run"
    assert vision("train", "classify", *SHORT, *words, "--device", "cpu", "--out", out) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not out.exists()


def test_one_class_is_not_a_classification(tmp_path, capsys):
    (tmp_path / "only").mkdir()
    for i in range(8):
        pixels = np.random.default_rng(i).integers(0, 256, (9, 9), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "only" / f"{i}.png")
    assert vision("train", "classify", *SHORT, "--data", f"folder:{tmp_path}", "--out", tmp_path / "run") == 2
    assert "at least two classes" in capsys.readouterr().err.replace("\n", " ")


def test_explain_draws_ones_own_images_and_those_of_the_test(run, digit, capsys, tmp_path):
    assert vision("explain", run, digit, "--out", tmp_path / "own") == 0
    with Image.open(tmp_path / "own" / "explanations.png") as picture:
        assert np.asarray(picture).std() > 1
    assert vision("explain", run, "--n", 3) == 0
    assert str(run / "explanations" / "mistakes.png") in capsys.readouterr().out
    assert (run / "explanations" / "mistakes.png").is_file()


def test_models_are_listed_with_their_sizes(capsys, monkeypatch):
    monkeypatch.setattr("torchworks.cnn_vision.studies.model_table.list_models", lambda: ["resnet50"])
    assert vision("models") == 0
    text = capsys.readouterr().out
    assert all(part in text for part in ("resnet50", "25.6", "4.09"))
    sizes = dict(re.findall(r"(\w+) +│ +([\d.]+) │\n", text))
    assert sizes["fasterrcnn_resnet50_fpn"] == "41.8"  # as torchvision says of its own
    assert sizes["deeplabv3_resnet50"] == "42.0"


# ---- findings --------------------------------------------------------------------------------------------

QUICK = ["--model", "resnet20", "--steps", "3", "--trainer.batch-size", "8", "--trainer.eval-every", "0"]


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """A folder of 32 healthy images and 8 ill ones, which are lighter."""
    folder = tmp_path_factory.mktemp("patients")
    rng = np.random.default_rng(0)
    for name, count, low in (("healthy", 32, 0), ("ill", 8, 120)):
        (folder / name).mkdir()
        for i in range(count):
            pixels = rng.integers(low, low + 120, (12, 12), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def screening(patients, tmp_path_factory):
    """A short training for one finding."""
    out = tmp_path_factory.mktemp("runs") / "001"
    data = ["--data", f"folder:{patients}", "--positive", "ill", "--loader.image-size", 12]
    assert vision("train", "medical", *QUICK, *data, "--device", "cpu", "--out", out) == 0
    return out


@pytest.fixture(scope="module")
def retina(tmp_path_factory):
    """A short training on few and small of the bundled patches, which may have several findings at once."""
    out = tmp_path_factory.mktemp("runs") / "001"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torchworks.cnn_vision.data.lesions.TRAIN", 80)
        patch.setattr("torchworks.cnn_vision.data.lesions.TEST", 40)
        assert vision("train", "medical", *QUICK, "--loader.image-size", 24, "--device", "cpu", "--out", out) == 0
        yield out


def test_two_folders_make_a_screening_with_its_threshold_and_a_baseline(screening, capsys):
    result = json.loads((screening / "result.json").read_text())
    assert result["auroc_baseline"] > 0.9
    assert result["auroc_chance"] == 0.5
    (threshold,) = json.loads((screening / "model.json").read_text())["config"]["thresholds"]
    assert vision("evaluate", screening) == 0
    figures = json.loads((screening / "evaluation" / "evaluation.json").read_text())
    (row,) = figures["findings"]
    assert (row["finding"], row["threshold"]) == ("ill", threshold)
    assert (row["images"], row["positives"]) == (8, 2)
    assert figures["auroc"] == pytest.approx(result["auroc"], abs=1e-6)
    assert "sensitivity" in capsys.readouterr().out


def test_predict_says_of_each_image_what_was_found(screening, patients, capsys, tmp_path):
    assert vision("predict", screening, patients, "--csv", tmp_path / "table.csv") == 0
    lines = capsys.readouterr().out.strip().splitlines()
    with (tmp_path / "table.csv").open() as file:
        head, *rows = csv.reader(file)
    assert head == ["path", "ill_found", "ill"]
    assert len(rows) == len(lines) == 40
    (threshold,) = json.loads((screening / "model.json").read_text())["config"]["thresholds"]
    for line, (path, found, probability) in zip(lines, rows, strict=True):
        assert line.startswith(path)
        assert ("(found)" in line) == (found == "1")
        if abs(float(probability) - threshold) > 1e-5:
            assert (found == "1") == (float(probability) > threshold)


def test_several_findings_are_evaluated_with_the_place_they_were_seen_in(retina):
    assert vision("evaluate", retina) == 0
    figures = json.loads((retina / "evaluation" / "evaluation.json").read_text())
    assert [row["finding"] for row in figures["findings"]] == ["exudate", "microaneurysm", "haemorrhage"]
    for row in figures["findings"]:
        assert row["positives"] == 6
        assert row["sensitivity_low"] <= row["sensitivity"] <= row["sensitivity_high"]
        assert 0 < row["pointing_game_chance"] < 1
    report = (retina / "evaluation" / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 4
    assert "://" not in report


def test_findings_are_explained_in_ones_own_images_and_those_of_the_test(retina, digit, capsys, tmp_path):
    assert vision("explain", retina, digit, "--out", tmp_path / "own") == 0
    assert vision("explain", retina, "--n", 2) == 0
    assert (tmp_path / "own" / "explanations.png").is_file()
    lines = capsys.readouterr().out.strip().splitlines()[1:]
    assert len(lines) == 9  # found, missed and false alarms of each kind
    drawn = [line for line in lines if line.endswith(".png")]
    assert drawn
    for line in drawn:
        with Image.open(line) as picture:
            assert np.asarray(picture).std() > 1


def test_data_that_lack_a_finding_are_refused_by_its_name(retina, patients, capsys):
    assert vision("evaluate", retina, "--data", f"folder:{patients}") == 2
    assert "no class 'exudate'" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing says which of them are findings"),
        (["--positive", "il"], "Did you mean 'ill'"),
        (["--positive", "ill", "healthy"], "names every class"),
        (["--positive", "ill", "--valid-fraction", "0"], "--valid-fraction is 0"),
        (["--positive", "ill", "--sensitivity", "1.1"], "--sensitivity must be above 0 and at most 1"),
        (["--positive", "ill", "--loader.test-fraction", "0.9"], "cannot be learnt and measured"),
    ],
)
def test_findings_that_cannot_be_learnt_are_said_before_the_training(words, message, patients, tmp_path, capsys):
    out = tmp_path / "run"
    data = ["--data", f"folder:{patients}", "--loader.image-size", 12]
    assert vision("train", "medical", *QUICK, *data, *words, "--device", "cpu", "--out", out) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not out.exists()


@pytest.mark.usefixtures("manual")
@pytest.mark.parametrize("recipe", [name for name in recipes("cnn-vision") if name not in ("transfer", "features")])
def test_data_without_images_are_a_mistake_of_the_user_s(recipe, tmp_path, capsys):
    assert vision("train", recipe, "--data", "manual", "--device", "cpu", "--out", tmp_path / "run") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "This recipe needs images; 'manual' has tokens." in said
