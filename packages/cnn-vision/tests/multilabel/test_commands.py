"""The command line of a multi-label classifier, on a folder of classes and on the bundled lesions."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.shared.cli import main

QUICK = [
    "--model", "resnet20", "--steps", "3", "--trainer.batch-size", "8", "--trainer.eval-every", "0",
    "--precision", "fp32",
]  # fmt: skip


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture
def digit(tmp_path):
    path = tmp_path / "digit.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)).save(path)
    return path


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
    """A short training for one label."""
    out = tmp_path_factory.mktemp("runs") / "001"
    data = ["--data", f"folder:{patients}", "--positive", "ill", "--loader.image-size", 12]
    assert vision("train", "medical", *QUICK, *data, "--device", "cpu", "--out", out) == 0
    return out


@pytest.fixture(scope="module")
def retina(tmp_path_factory):
    """A short training on few and small of the bundled patches, which may have several labels at once."""
    out = tmp_path_factory.mktemp("runs") / "001"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torchworks.cnn_vision.data.lesions.TRAIN", 80)
        patch.setattr("torchworks.cnn_vision.data.lesions.TEST", 40)
        assert vision("train", "medical", *QUICK, "--loader.image-size", 24, "--device", "cpu", "--out", out) == 0
        yield out


def test_the_targets_kept_with_a_model_of_single_classes_are_sets_of_its_labels(screening):
    kept = load_file(screening / "samples.safetensors")
    assert kept["target.probability"].shape == (8, 1)
    assert kept["target.probability"].sum() == 2


def test_two_folders_make_a_screening_with_its_threshold_and_a_baseline(screening, capsys):
    result = json.loads((screening / "result.json").read_text())
    assert result["auroc_baseline"] > 0.9
    assert result["auroc_chance"] == 0.5
    (threshold,) = json.loads((screening / "model.json").read_text())["config"]["thresholds"]
    assert vision("evaluate", screening) == 0
    figures = json.loads((screening / "evaluation" / "evaluation.json").read_text())
    (row,) = figures["labels"]
    assert (row["label"], row["threshold"]) == ("ill", threshold)
    assert (row["images"], row["positives"]) == (8, 2)
    assert figures["auroc"] == pytest.approx(result["auroc"], abs=1e-6)
    assert "sensitivity" in capsys.readouterr().out


def test_predict_marks_the_labels_that_were_found_in_each_image(screening, patients, capsys, tmp_path):
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


def test_several_labels_are_evaluated_with_the_place_they_were_seen_in(retina):
    assert vision("evaluate", retina) == 0
    figures = json.loads((retina / "evaluation" / "evaluation.json").read_text())
    assert [row["label"] for row in figures["labels"]] == ["exudate", "microaneurysm", "haemorrhage"]
    for row in figures["labels"]:
        assert row["positives"] == 6
        assert row["sensitivity_low"] <= row["sensitivity"] <= row["sensitivity_high"]
        assert 0 < row["pointing_game_chance"] < 1
    report = (retina / "evaluation" / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 4
    assert "://" not in report


def test_labels_are_explained_in_ones_own_images_and_those_of_the_test(retina, digit, capsys, tmp_path):
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


def test_data_that_lack_a_label_are_refused_by_its_name(retina, patients, capsys):
    assert vision("evaluate", retina, "--data", f"folder:{patients}") == 2
    assert "no class 'exudate'" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the labels to predict are not known"),
        (["--positive", "il"], "Did you mean 'ill'"),
        (["--positive", "ill", "healthy"], "names every class"),
        (["--positive", "ill", "--valid-fraction", "0"], "--valid-fraction is 0"),
        (["--positive", "ill", "--sensitivity", "1.1"], "--sensitivity must be above 0 and at most 1"),
        (["--positive", "ill", "--loader.test-fraction", "0.9"], "cannot be learned and measured"),
    ],
)
def test_labels_that_cannot_be_learned_are_said_before_the_training(words, message, patients, tmp_path, capsys):
    out = tmp_path / "run"
    data = ["--data", f"folder:{patients}", "--loader.image-size", 12]
    assert vision("train", "medical", *QUICK, *data, *words, "--device", "cpu", "--out", out) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not out.exists()
