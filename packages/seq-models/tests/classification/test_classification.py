"""Classification from the command line: trained, saved, used."""

import json

import pytest
import torch

from torchworks.seq_models.classification.baselines import bags_of
from torchworks.seq_models.classification.predictor import build_classifier
from torchworks.seq_models.commands import COMMANDS
from torchworks.shared.cli import main
from torchworks.shared.models.predictor import check_golden
from torchworks.shared.testing import check_predictor
from torchworks.shared.text import Words

STEPS = 60


def run(*words: object) -> int:
    return main("seq-models", "classify", COMMANDS, [str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of few steps."""
    folder = tmp_path_factory.mktemp("runs") / "classify"
    assert run("train", "classify", "--steps", STEPS, "--precision", "fp32", "--out", folder) == 0
    return folder


def test_a_short_training_beats_the_majority_class(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["steps"] == STEPS
    assert result["accuracy"] > result["accuracy_majority_class"] + 0.2


def test_the_saved_model_answers_as_it_did_when_it_was_saved(trained):
    assert check_golden(trained) < 1e-5


def test_the_predictor_exports_whole_for_texts_of_any_length():
    net = {"embed_dim": 6, "filters": 5, "widths": [1, 2], "drop_rate": 0.5}
    files = {"tokenizer.json": Words.train(["one two three"]).to_json()}
    check_predictor(build_classifier({"classes": ["a", "b"], "longest": 12, "net": net}, files))


def test_a_class_is_printed_for_each_text(trained, capsys):
    assert run("predict", trained, "forty-two", "seven") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["forty-two", "seven"]
    assert {line.split("  ")[1].split()[0] for line in lines} <= {"even", "odd"}


@pytest.mark.parametrize(("text", "count"), [("", 0), ("one " * 65, 65)])
def test_an_empty_or_a_too_long_text_is_refused(trained, capsys, text, count):
    assert run("predict", trained, text) == 2
    assert f"has {count}." in " ".join(capsys.readouterr().err.split())


def test_data_without_texts_are_refused(manual, capsys):
    assert run("train", "classify", "--data", "manual", "--dry-run") == 2
    assert "needs text" in " ".join(capsys.readouterr().err.split())


def test_bags_count_each_token_but_padding():
    assert bags_of(torch.tensor([[2, 3, 2, 0], [1, 0, 0, 0]]), 4).tolist() == [[0, 0, 2, 1], [0, 1, 0, 0]]
