"""Classification from the command line: trained, saved, used."""

import json

import pytest
from PIL import Image

from torchworks.diffusion.classification.predictor import build_classifier
from torchworks.diffusion.commands import COMMANDS
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.testing import check_predictor

STEPS = 40


def run(*words: object) -> int:
    return main("diffusion", "classify", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps."""
    folder = tmp_path_factory.mktemp("runs") / "classify"
    assert run("train", "classify", "--steps", STEPS, "--precision", "fp32", "--out", folder) == 0
    return folder


def test_a_short_training_beats_the_majority_class(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["steps"] == STEPS
    assert result["accuracy"] > 3 * result["accuracy_majority_class"]


def test_the_saved_model_answers_as_it_did_when_it_was_saved(trained):
    assert check_golden(trained) < 1e-5


def test_the_predictor_exports_whole_for_any_number_of_rows():
    check_predictor(build_classifier({"classes": ["a", "b"], "channels": 1, "image_size": 16, "width": 4}))


def test_a_class_is_printed_for_each_image_file(trained, tmp_path, capsys):
    for name in ("one.png", "two.png"):
        Image.new("L", (20, 20), 128).save(tmp_path / name)
    assert run("predict", trained, tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [str(tmp_path / "one.png"), str(tmp_path / "two.png")]
    assert lines[0].split()[1] in "0123456789"


def test_a_file_that_is_no_image_is_named(trained, tmp_path, capsys):
    (tmp_path / "broken.png").write_text("no image")
    assert run("predict", trained, tmp_path) == 2
    assert "broken.png" in capsys.readouterr().err


def test_data_without_labels_are_refused(tmp_path, capsys):
    for number in range(4):
        Image.new("L", (16, 16), 60 * number).save(tmp_path / f"{number}.png")
    assert run("train", "classify", "--data", f"folder:{tmp_path}", "--dry-run") == 2
    assert "needs images and labels" in " ".join(capsys.readouterr().err.split())
