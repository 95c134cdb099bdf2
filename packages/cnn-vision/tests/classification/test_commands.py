"""The command line of a classifier, from training to a report, on the bundled digits and on a folder of one's own."""

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

HELP = [["--help"], ["list"], ["train", "classify", "--help"], *([name, "--help"] for name in COMMANDS)]
SHORT = [
    "--model",
    "mobilenet_v3_small",
    "--steps",
    "4",
    "--trainer.batch-size",
    "16",
    "--trainer.eval-every",
    "0",
    "--precision",
    "fp32",
]


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


def test_the_card_names_classes_that_no_score_counts(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for part, classes, count in (("train", ("cat", "dog", "fox"), 12), ("val", ("cat", "dog"), 4)):
        for name in classes:
            (tmp_path / "set" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "set" / part / name / f"{i}.png")
    run, data = tmp_path / "run", f"folder:{tmp_path / 'set'}"
    words = ["--loader.image-size", "16", "--loader.root", tmp_path / "root", "--device", "cpu", "--out", run]
    assert vision("train", "classify", *SHORT, "--data", data, *words) == 0
    sentence = "Classes that no test image has, which no score counts: 1 (fox)."
    assert sentence in capsys.readouterr().out
    assert sentence in (run / "README.md").read_text(encoding="utf-8")
    assert vision("evaluate", run) == 0
    printed = capsys.readouterr().out
    assert sentence in printed
    assert re.search(r"^fox +0 +– +– +–$", printed, re.MULTILINE)
    text = (run / "evaluation" / "evaluation.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail)["classes"][2]["recall"] is None


def test_data_with_other_classes_are_refused_by_name(run, tmp_path, capsys):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(4):
            pixels = np.random.default_rng(i).integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    assert vision("evaluate", run, "--data", f"folder:{tmp_path}") == 2
    assert "unknown to the run cat, dog" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "resnet17"], "Did you mean 'resnet1"),
        (["--label-smoothing", "1.5"], "--label-smoothing must be at least 0 and below 1"),
        (["--weight-decay", "-1"], "--weight-decay must be at least 0"),
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
