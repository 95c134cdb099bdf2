"""Transfer, from a net trained on the spot and from a run's, with its comparison; and what it refuses."""

import json

import pytest

from torchworks.cnn_vision.classification.config import TransferConfig
from torchworks.cnn_vision.classification.recipes import transfer
from torchworks.cnn_vision.classification.transfer import plain, pretraining
from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.finetuning.build import normalization
from torchworks.shared.cli import main

SHORT = ["--device", "cpu", "--steps", "2", "--pretrain-steps", "2", "--loader.image-size", "8"]


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


def test_it_trains_the_net_first_and_compares_with_training_from_scratch(tmp_path, capsys):
    assert vision("train", "transfer", *SHORT, "--out", tmp_path / "run") == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert {"accuracy", "accuracy_from_scratch", "accuracy_baseline"} <= result.keys()
    printed = capsys.readouterr().out
    assert "first the net is trained on the classes 0, 1, 2, 3, 4, 5, 6" in printed
    model = json.loads((tmp_path / "run" / "model.json").read_text())
    assert model["labels"] == list("789")


def test_it_starts_from_the_weights_of_a_run_and_normalizes_as_that_did(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    common = ["--model", "resnet20", "--device", "cpu", "--steps", "2"]
    assert vision("train", *common, "--classes", "0", "1", "--normalize", "imagenet", "--out", first) == 0
    words = ["--pretrained", first, "--freeze", "backbone", "--shots", "4", "--model", "resnet20"]
    assert vision("train", "transfer", *SHORT, *words, "--out", second) == 0
    ours, theirs = (json.loads((run / "model.json").read_text()) for run in (second, first))
    assert ours["preprocessing"]["image"]["mean"] == theirs["preprocessing"]["image"]["mean"] != [0.5]
    by_file = TransferConfig(pretrained=str(first / "model.safetensors"))
    assert normalization(by_file, None, 1)[0] == theirs["preprocessing"]["image"]["mean"]


def test_published_weights_get_the_pixels_they_were_trained_on():
    color = normalization(TransferConfig(pretrained="imagenet"), None, 3)
    assert color == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    gray = normalization(TransferConfig(pretrained="imagenet"), None, 1)
    assert gray[0] == pytest.approx([0.449])
    assert normalization(TransferConfig(), None, 1) == ([0.5], [0.5])


def test_the_first_training_sees_all_images_of_its_classes_and_trains_all_layers():
    before = pretraining(transfer())
    assert (before.classes, before.shots, before.freeze, before.rate_decay) == (tuple("0123456"), 0, "none", 1.0)
    assert plain(transfer()).classes == tuple("789")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pretrain-classes"], "Transfer learning starts from a pretrained model"),
        (["--classes", "6", "7"], "both name 6"),
        (["--classes"], "--classes, those to learn after them, is missing"),
        (["--classes", "8", "x"], "has no class 'x'"),
        (["--rate-decay", "-1"], "--rate-decay must be at least 0"),
        (["--shots", "-1"], "--shots must be at least 0"),
    ],
)
def test_what_cannot_be_transferred_is_said_in_one_paragraph(words, message, tmp_path, capsys):
    assert vision("train", "transfer", *SHORT, *words, "--out", tmp_path / "run") == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()
