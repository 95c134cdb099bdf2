"""The command line: help without torch, suggestions for slips, one paragraph and the right exit code for failures."""

import dataclasses
import importlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
import tyro

from torchworks.shared import cli
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Field, Schema
from torchworks.shared.training import experiment
from torchworks.shared.training.guard import Interrupted, TrainingFailed


@pytest.fixture
def toys(toy_recipes, capsys, tmp_path, monkeypatch):
    """Run `toy WORDS…` here and return its exit code, its output and its error as one line."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = toy_recipes.main([str(word) for word in words])
        told = capsys.readouterr()
        return code, told.out, " ".join(told.err.split())

    return call


@pytest.fixture
def failing(toys, monkeypatch):
    """The same with a training that raises what it is given."""

    def call(error, *words):
        def fail(*_, **__):
            raise error

        monkeypatch.setattr(experiment, "train", fail)
        return toys("train", *words)

    return call


# ---- help --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_names_commands_and_recipes(toys, words):
    code, out, _ = toys(*words)
    assert code == 0
    for word in ("list", "train [RECIPE=classifier]", "check", "recipes: buckets, classifier, contrast, game, gan"):
        assert word in out


def test_list_prints_what_each_recipe_says_of_itself(toys):
    code, out, _ = toys("list")
    assert code == 0
    assert "classifier (default)\n    A classifier with batch normalization" in out
    assert "gan\n    A GAN with a phase that repeats" in out


def test_the_help_of_a_recipe_has_its_options_with_their_presets(toys):
    code, out, _ = toys("train", "gan", "--help")
    assert code == 0
    for word in ("A GAN with a phase that repeats", "--trainer.steps", "Training steps", "--out", "--resume"):
        assert word in out


@pytest.mark.parametrize("words", [["--help"], ["list"], ["train", "gan", "--help"], ["train", "gan", "--stpes", "1"]])
def test_help_and_slips_answer_without_importing_torch(toy_path, words):
    script = f"import sys, toy_recipes; toy_recipes.main({words}); sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": toy_path}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_package_without_recipes_has_its_own_commands_only(capsys):
    @dataclasses.dataclass(frozen=True)
    class Greet:
        """Say something."""

    def call(*words):
        code = cli.main("polite", None, {"greet": cli.Command(Greet, "builtins:print")}, list(words))
        told = capsys.readouterr()
        return code, told.out, " ".join(told.err.split())

    code, out, _ = call()
    assert (code, "greet  Say something." in out) == (0, True)
    assert not [word for word in ("train", "list", "recipes", "check") if word in out]
    assert call("greet")[:2] == (0, "test_a_package_without_recipes_has_its_own_commands_only.<locals>.Greet()\n")
    for word in ("train", "list", "check"):
        code, _, err = call(word)
        assert (code, err.endswith("Commands: greet.")) == (2, True)


# ---- slips -------------------------------------------------------------------------------------------------


def test_what_is_checked_is_opened_as_the_package_s_recipes_open_their_data(toys, capsys):
    _, printed, _ = toys("check", "--help")
    assert "--loader.workers" in printed
    assert "--loader.image-size" not in printed  # the toys read no images
    assert "coco:" not in printed, "data of other packages"
    assert cli.main("shop", None, {"check": cli.check_command(ImageConfig)}, ["check", "--help"]) == 0
    assert "--loader.image-size" in capsys.readouterr().out


def test_an_unknown_command_gets_the_nearest_one(toys):
    code, _, err = toys("trian", "gan")
    assert code == 2
    assert err == "toy has no command 'trian'. Did you mean 'train'? Commands: list, train, check."


def test_an_unknown_recipe_gets_the_nearest_one(toys):
    code, _, err = toys("train", "gam")
    assert code == 2
    assert err.startswith("There is no recipe 'gam' in toy. Did you mean 'ga")
    assert "Known recipes: buckets, classifier, contrast, game, gan" in err


def test_an_unknown_option_gets_the_nearest_one(toys):
    code, _, err = toys("train", "gan", "--trainer.stpes", "10")
    assert code == 2
    assert "--trainer.stpes" in err
    assert "--trainer.steps" in err


@pytest.mark.parametrize("value", ["many", "1.5"])
def test_a_value_of_the_wrong_kind_is_named(toys, value):
    code, _, err = toys("train", "gan", "--trainer.steps", value)
    assert code == 2
    assert value in err


def test_a_setting_that_makes_no_sense_is_named_and_leaves_no_run(toys, tmp_path):
    code, _, err = toys("train", "plain", "--trainer.log-every", 0, "--out", tmp_path / "run")
    assert (code, err) == (2, "--trainer.log-every must be at least 1, but it is 0.")
    assert not (tmp_path / "run").exists()


# ---- failures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("No such data."), 2, "No such data."),
        (TrainingFailed("It came to nothing."), 1, "It came to nothing."),
        (Interrupted(signal.SIGTERM, "Stopped and saved."), 143, "Stopped and saved."),
        (Interrupted(signal.SIGINT, "Stopped and saved."), 130, "Stopped and saved."),
        (KeyboardInterrupt(), 130, "Stopped."),
        (OSError(28, "No space left on device", "x.png"), 1, "No space left on device: 'x.png'"),
        (FileNotFoundError(2, "No such file", "cat.jpg"), 2, "There is no file cat.jpg any more"),
        (UnicodeDecodeError("utf-8", b"caf\xe9", 3, 4, "end"), 2, "is not in UTF-8: byte 3 of it is 0xe9"),
        (torch.OutOfMemoryError("CUDA out of memory"), 1, "--trainer.batch-size"),
        (ZeroDivisionError("division by zero"), 1, "ZeroDivisionError: division by zero. Add --debug"),
        (SystemExit(3), 3, ""),
    ],
)
def test_a_failure_is_one_paragraph_with_its_exit_code(failing, error, code, words):
    found, _, err = failing(error)
    assert found == code
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize("encoding", ["cp1251", "cp437", "ascii"])
def test_signs_and_file_names_that_an_output_lacks_end_nothing(failing, monkeypatch, encoding):
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(said, encoding=encoding, errors="strict"))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict"))
    code, _, _ = failing(UserError("The image cat\udcff.jpg is 3 × 2 … and has no class 猫."))
    sys.stderr.flush()
    assert code == 2
    told = " ".join(said.getvalue().decode(encoding).split())
    assert told.startswith(r"The image cat\udcff.jpg is 3 ")
    assert told.endswith(r"and has no class \u732b.")
    assert ("3 x 2 ..." in told) == (encoding != "cp1251")


def test_a_librarys_warning_is_its_text_without_a_path(toys, monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    toys("list")
    told = warnings.formatwarning("No positive\n samples in targets", UserWarning, "/lib/torchmetrics/auroc.py", 44)
    assert told == "warning: No positive samples in targets\n"


def test_a_librarys_colors_are_not_shown_as_signs():
    assert (
        cli._without_place("\x1b[33mWARN: old\nversion\x1b[0m", UserWarning, "a.py", 1)
        == "warning: WARN: old version\n"
    )


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("Draw a line\n    for each run. More\n    is told here.\n\n    And here.", "Draw a line for each run."),
        ("Show how: what is meant, which would be far too long if it went on, and on, " + "and on, " * 9, "Show how."),
        ("Say so.", "Say so."),
    ],
)
def test_the_overview_has_whole_sentences(text, summary):
    arguments = type("Arguments", (), {"__doc__": text})
    assert cli.Command(arguments, "").summary == summary


def test_debug_shows_the_traceback(failing):
    with pytest.raises(UserError):
        failing(UserError("No such data."), "--debug")


def test_a_paragraph_is_wrapped_for_reading_but_paths_stay_whole(toy_recipes, capsys, monkeypatch):
    path = "/a/very-long-path/" + "x" * 120

    def fail(*_, **__):
        raise UserError(f"There is nothing to be found at the place that was given, which is {path} and no other.")

    monkeypatch.setattr(experiment, "train", fail)
    toy_recipes.main(["train"])
    lines = capsys.readouterr().err.splitlines()
    assert any(path in line for line in lines)
    assert all(len(line) <= 100 or path in line for line in lines)


# ---- a package's own commands ------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Paint:
    """Paint it."""

    color: str = "red"
    """Which color."""


def test_a_package_adds_commands_of_its_own(capsys, monkeypatch):
    painted = []
    monkeypatch.setattr(experiment, "paint", lambda given: painted.append(given.color), raising=False)
    commands = {"paint": cli.Command(Paint, "torchworks.shared.training.experiment:paint")}
    assert cli.main("toy", "classifier", commands, ["paint", "--color", "blue"]) == 0
    assert painted == ["blue"]
    assert cli.main("toy", "classifier", commands, ["pant"]) == 2
    assert "Did you mean 'paint'" in capsys.readouterr().err


# ---- resume ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(toy_path, tmp_path_factory):
    """A finished run of 5 steps, to be copied."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    with pytest.MonkeyPatch.context() as patch:
        for path in toy_path.split(os.pathsep):
            patch.syspath_prepend(path)
        toys = importlib.import_module("toy_recipes")
        assert toys.main(["train", "plain", "--trainer.steps", "5", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def finished(trained, toys, tmp_path):
    """A finished run of 5 steps."""
    return shutil.copytree(trained, tmp_path / "run")


def test_starting_over_an_existing_run_names_both_remedies(toys, finished):
    before = (finished / "metrics.jsonl").read_bytes()
    code, _, err = toys("train", "plain", "--out", finished)
    assert code == 2
    assert f"`train --resume {finished}`" in err
    assert "--out" in err
    assert (finished / "metrics.jsonl").read_bytes() == before


def test_a_finished_run_is_not_resumed_but_may_be_trained_longer(toys, finished):
    code, _, err = toys("train", "--resume", finished)
    assert code == 2
    assert "is finished, at 5 steps. To train it longer, add `--trainer.steps N`" in err
    code, out, err = toys("train", f"--resume={finished}", "--trainer.steps", 9)
    assert code == 0, err
    assert "continuing at step 5" in out
    code, _, err = toys("train", "--resume", finished)
    assert "finished, at 9 steps" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gan", "--resume", "RUN"), "is a run of the recipe 'plain', not 'gan'"),
        (("--resume", "RUN", "--seed", "4"), "made with another 'seed'"),
        (("--resume", "RUN", "--optim.lr", "1"), "made with another 'optim'"),
        (("--resume", "RUN", "--trainer.batch-size", "8"), "made with --trainer.batch-size 32, and that cannot change"),
        (("--resume", "RUN", "--trainer.ema", "0"), "made with --trainer.ema 0.9, and that cannot change"),
        (("--resume", "elsewhere"), "There is no run directory elsewhere"),
        (("--resume",), "--resume needs the directory"),
    ],
)
def test_what_cannot_be_resumed_is_said_before_anything_is_touched(toys, finished, words, message):
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    code, _, err = toys("train", *(finished if word == "RUN" else word for word in words))
    assert code == 2
    assert message in err
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def with_data(monkeypatch, change):
    """The toy's experiment with other data: the `Source` that `change` makes of the one it has."""
    toy = importlib.import_module("toy")
    make = toy.experiment

    def changed(config, device):
        experiment = make(config, device)
        return dataclasses.replace(experiment, sources=tuple(map(change, experiment.sources)))

    monkeypatch.setattr(toy, "experiment", changed)


def test_other_samples_in_the_same_number_are_said_and_the_training_goes_on(toys, finished, monkeypatch):
    with_data(monkeypatch, lambda source: dataclasses.replace(source, fingerprint="other"))
    code, out, err = toys("train", "--resume", finished, "--trainer.steps", 9)
    assert code == 0, err
    assert "The data of circle and ring have changed since the run was made: as many samples" in out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fingerprint": "fewer", "train": range(500)}, "500 samples for training instead of 512"),
        (
            {"fingerprint": "more", "schema": Schema((Field("label", "label", (), ("0", "1", "fox")),))},
            "new classes fox",
        ),
    ],
)
def test_data_with_more_or_fewer_samples_or_classes_are_named_and_the_run_stays_as_it_was(
    toys, finished, monkeypatch, change, words
):
    before = contents(finished)
    with monkeypatch.context() as patch:
        with_data(patch, lambda source: dataclasses.replace(source, **change))
        code, _, err = toys("train", "--resume", finished, "--trainer.steps", 9)
    assert code == 2
    assert words in err
    assert contents(finished) == before
    code, out, err = toys("train", "--resume", finished, "--trainer.steps", 9)
    assert code == 0, err
    assert "continuing at step 5" in out


def test_a_checkpoint_of_another_net_is_refused_by_the_tensor_that_differs(toys, finished, monkeypatch):
    (finished / "env.json").unlink()  # as if made by a version that did not describe the data
    before = contents(finished)
    toy = importlib.import_module("toy")
    with monkeypatch.context() as patch:
        patch.setattr(toy.nn, "Linear", lambda n, m, linear=toy.nn.Linear: linear(n, m + (m == 2)))
        code, _, err = toys("train", "--resume", finished, "--trainer.steps", 9)
    assert code == 2
    assert "'3.weight' has the shape (2, 32) in the checkpoint and has the shape (3, 32) in the net" in err
    assert contents(finished) == before


def test_a_resume_that_fails_before_its_first_checkpoint_leaves_the_run_finished_as_it_was(toys, finished, monkeypatch):
    before = contents(finished)
    toy = importlib.import_module("toy")
    with monkeypatch.context() as patch:
        patch.setattr(toy.Classifier, "loss", lambda self, phase, batch: 1 / 0)
        code, _, err = toys("train", "--resume", finished, "--trainer.steps", 9)
    assert (code, "ZeroDivisionError" in err) == (1, True)
    assert contents(finished) == before
    assert "is finished, at 5 steps" in toys("train", "--resume", finished)[2]


def test_a_run_that_is_killed_while_it_is_trained_longer_is_resumed_and_not_called_finished(toys, finished):
    code, _, err = toys("train", "--resume", finished, "--trainer.steps", 9)
    assert code == 0, err
    result = json.loads((finished / "result.json").read_text())
    (finished / "result.json").write_text(json.dumps({**result, "steps": 5}))  # that of before, as a kill leaves it
    code, out, err = toys("train", "--resume", finished)
    assert code == 0, err
    assert "continuing at step 9" in out


def test_a_directory_that_is_no_run_is_said_to_be_none(toys, tmp_path):
    code, _, err = toys("train", "--resume", tmp_path)
    assert code == 2
    assert "is not a run directory: there is no config.json in it" in err
    for content, message in (("{", "cannot be read"), ("[]", "names no package"), ('{"package": "gans"}', "names no")):
        (tmp_path / "config.json").write_text(content)
        code, _, err = toys("train", "--resume", tmp_path)
        assert code == 2
        assert message in err


def test_a_run_of_another_package_is_not_resumed(toys, tmp_path):
    (tmp_path / "config.json").write_text('{"package": "others", "recipe": "x"}')
    code, _, err = toys("train", "--resume", tmp_path)
    assert code == 2
    assert "others" in err


def test_train_says_what_it_starts_before_pytorch_is_imported(toys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchworks.shared.training.experiment", None)  # importing it would fail
    _, out, _ = toys("train", "plain")
    assert out.startswith("plain on ring: starting PyTorch")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["list", "vae"], "takes nothing after it; 'vae' was given"),
        (["look", ""], "RUN is empty"),
        (["look", "run", "--out="], "--out is empty"),
    ],
)
def test_a_word_too_many_and_a_path_of_nothing_are_named(words, sentence, capsys, toy_recipes):
    @dataclasses.dataclass(frozen=True)
    class Look:
        """Look."""

        run: tyro.conf.Positional[Path]
        out: Path | None = None

    assert cli.main("toy", "toy", {"look": cli.Command(Look, "nowhere:nothing")}, words) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
