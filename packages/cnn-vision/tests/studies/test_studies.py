"""Studies and the search: tables with spread, work that is not done twice, and settings that can be used."""

import json
import shlex

import pytest

from torchworks.cnn_vision.commands import COMMANDS
from torchworks.cnn_vision.studies import seeds as study
from torchworks.shared.cli import main

SHORT = ["--device", "cpu", "--steps", "2", "--shots", "4", "--trainer.batch-size", "8", "--loader.image-size", "8"]


def vision(*words):
    return main("cnn-vision", default="classify", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.mark.slow
def test_a_study_prints_a_table_with_spread_and_does_no_training_twice(tmp_path, capsys, monkeypatch):
    variants = {name: study.AUGMENTATIONS[name] for name in ("none", "CutMix")}
    monkeypatch.setattr(study, "AUGMENTATIONS", variants)
    assert vision("study-augmentation", *SHORT, "--seeds", "2", "--out", tmp_path) == 0
    printed = capsys.readouterr().out
    assert printed.strip().splitlines()[-1] == str(tmp_path)
    assert "±" in printed
    assert "logistic regression" in printed
    results = json.loads((tmp_path / "study.json").read_text())
    assert [len(results[name]) for name in variants] == [2, 2]
    assert (tmp_path / "study.png").stat().st_size > 5000
    assert (tmp_path / "study.md").read_text().count("\n") == 5
    before = (tmp_path / "cutmix-seed-1" / "result.json").stat().st_mtime_ns
    assert vision("study-augmentation", *SHORT, "--seeds", "2", "--out", tmp_path) == 0
    assert (tmp_path / "cutmix-seed-1" / "result.json").stat().st_mtime_ns == before


def test_a_study_in_the_folder_of_another_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(study, "AUGMENTATIONS", {"none": {}})
    assert vision("study-augmentation", *SHORT, "--seeds", "1", "--out", tmp_path) == 0
    assert vision("study-augmentation", *SHORT, "--seeds", "1", "--optim.lr", "0.1", "--out", tmp_path) == 2
    assert "holds a run with other settings" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", ["study-augmentation", "study-transfer"])
def test_a_study_has_at_least_one_seed(command, tmp_path, capsys):
    assert vision(command, "--seeds", "0", "--out", tmp_path / "study") == 2
    assert "--seeds is 0; it must be at least 1" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "study").exists()


@pytest.mark.slow
def test_every_way_of_transfer_starts_from_the_same_net_of_its_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "TRANSFERS", {name: study.TRANSFERS[name] for name in ("from scratch", "linear probe")})
    assert vision("study-transfer", *SHORT, "--pretrain-steps", "2", "--seeds", "1", "--out", tmp_path) == 0
    probe = json.loads((tmp_path / "linear-probe-seed-0" / "config.json").read_text())
    assert probe["pretrained"] == str(tmp_path / "pretrained-seed-0")
    assert probe["freeze"] == "backbone"
    assert json.loads((tmp_path / "from-scratch-seed-0" / "config.json").read_text())["pretrained"] == ""


@pytest.fixture
def searched(tmp_path, capsys):
    pytest.importorskip("optuna")
    assert vision("tune", *SHORT, "--steps", "9", "--trials", "4", "--out", tmp_path) == 0
    return tmp_path, capsys.readouterr().out


def test_a_search_prints_the_command_that_trains_with_what_it_found(searched, capsys):
    folder, printed = searched
    found = json.loads((folder / "tune.json").read_text())
    assert len(found["trials"]) == 4
    assert found["best"] == {
        key: value
        for key, value in max(
            (t for t in found["trials"] if t["state"] == "COMPLETE"), key=lambda t: t["accuracy"]
        ).items()
        if key in ("lr", "weight_decay", "augment")
    }
    (line,) = [line for line in printed.splitlines() if line.strip().startswith("cnn-vision train")]
    words = shlex.split(line)[1:]
    assert vision(*words, "--trainer.dry-run", "--device", "cpu") == 0


def test_a_search_goes_on_where_it_was(searched, capsys):
    folder, _ = searched
    assert vision("tune", *SHORT, "--steps", "9", "--trials", "5", "--out", folder) == 0
    printed = capsys.readouterr().out
    assert "trial 5:" in printed
    assert "trial 4:" not in printed
