"""From a configuration to a finished run directory, through the command line of the toys."""

import json
import re

import pytest
from PIL import Image
from safetensors.torch import load_file

from torchworks.shared.config import UserError
from torchworks.shared.machine import device
from torchworks.shared.training.metrics import read_lines

FILES = {
    "config.json", "env.json", "metrics.jsonl", "result.json", "model.safetensors", "curves.png", "README.md",
    "checkpoints",
}  # fmt: skip


@pytest.fixture
def train(toy_recipes, capsys, tmp_path, monkeypatch):
    """Run `toy train WORDS…` in an empty directory; returns the exit code and what was printed."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = toy_recipes.main(["train", *map(str, words)])
        told = capsys.readouterr()
        return code, told.out, " ".join(told.err.split())

    return call


def test_a_run_leaves_everything_a_person_needs(train, tmp_path):
    code, out, err = train("classifier", "--trainer.steps", 40)
    assert code == 0, err
    folder = tmp_path / "runs" / "toy" / "classifier-ring" / "001"
    assert out.splitlines()[-1] == str(folder.relative_to(tmp_path))
    assert {path.name for path in folder.iterdir()} == FILES

    config = json.loads((folder / "config.json").read_text())
    assert (config["package"], config["recipe"], config["trainer"]["steps"]) == ("toy", "classifier", 40)
    result = json.loads((folder / "result.json").read_text())
    for name in ("accuracy", "accuracy_chance", "steps", "seconds", "samples_per_second", "parameters", "best_step"):
        assert isinstance(result[name], (int, float))
    assert (result["steps"], result["stopped_by"], result["parameters"]) == (40, "steps", 2 * 32 + 32 + 64 + 66)
    kinds = [(line["kind"], line["step"]) for line in read_lines(folder / "metrics.jsonl")]
    assert kinds.count(("eval", 20)) == kinds.count(("eval", 40)) == 1
    assert [step for kind, step in kinds if kind == "train"] == [*range(5, 45, 5)]
    with Image.open(folder / "curves.png") as picture:
        picture.verify()
    assert "toy train classifier --data ring --seed 3 --trainer.steps 40" in (folder / "README.md").read_text()


def test_device_and_precision_are_told_with_their_reasons(train):
    _, out, _ = train("plain", "--trainer.steps", 1)
    assert "device cpu: as asked" in out
    assert "precision fp32: as asked" in out


def test_nets_without_convolutions_train_in_fp32_where_a_cpu_has_bf16(train, monkeypatch):
    monkeypatch.setattr(device, "cpu_bf16", lambda: True)
    _, out, _ = train("plain", "--trainer.steps", 1, "--trainer.precision", "auto")
    assert "precision fp32: on a CPU bf16 is taken for convolutional nets only" in out
    assert "channels_last off: only convolutional nets gain by it" in out


def test_each_run_gets_a_directory_of_its_own(train, tmp_path):
    for _ in range(2):
        assert train("plain", "--trainer.steps", 2)[0] == 0
    assert sorted(path.name for path in (tmp_path / "runs" / "toy" / "plain-ring").iterdir()) == ["001", "002"]


def test_the_final_scores_are_those_of_the_exported_weights(train, toy, tmp_path):
    train("plain", "--out", tmp_path / "run")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    task = toy.TASKS["plain"]()
    task.model.load_state_dict(load_file(tmp_path / "run" / "model.safetensors"), strict=True)
    task.model.eval()
    data = toy.circle_and_ring()
    right = (task.model(data["x"]).argmax(1) == data["label"]).float().mean().item()
    assert right == pytest.approx(result["accuracy"], abs=0.05)  # the toy adds noise when it is scored
    assert right > 0.9


def test_a_dry_run_checks_everything_and_writes_nothing(train, tmp_path):
    code, out, err = train("gan", "--trainer.dry-run")
    assert code == 0, err
    assert "distance" in out
    assert list(tmp_path.iterdir()) == []
    code, _, err = train("gan", "--trainer.dry-run", "--trainer.accumulate", 0)
    assert (code, list(tmp_path.iterdir())) == (2, [])


def test_a_dry_run_finds_a_mistake_in_the_loss(train, toy, monkeypatch):
    def loss(self, phase, batch):
        raise UserError("The loss cannot work.")

    monkeypatch.setattr(toy.Classifier, "loss", loss)
    assert train("plain", "--trainer.dry-run")[::2] == (2, "The loss cannot work.")


def test_the_learning_rate_finder_is_an_option_and_makes_no_run(train, tmp_path):
    code, out, err = train("classifier", "--trainer.find-lr", "--trainer.patience", 3, "--out", tmp_path / "sweep")
    assert code == 0, err
    assert "suggested_lr" in out
    assert [path.name for path in (tmp_path / "sweep").iterdir()] == ["lr-finder.png"]


def test_overfitting_one_batch_and_a_time_limit_are_options(train, tmp_path):
    options = ("--trainer.overfit-one-batch", "--trainer.steps", 100_000, "--trainer.max-minutes", 0.03)
    options = (*options, "--trainer.eval-every", 0, "--trainer.checkpoint-every", 0, "--optim.schedule", "constant")
    code, _, err = train("plain", "--out", tmp_path / "run", *options)
    assert code == 0, err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["stopped_by"] == "max_minutes"
    losses = [line["train/loss"] for line in read_lines(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "train"]
    assert losses[-1] < losses[0] / 3


def test_a_profile_is_an_option(train, tmp_path):
    code, out, _ = train("gan", "--trainer.steps", 25, "--trainer.profile", "--out", tmp_path / "run")
    assert code == 0
    assert (tmp_path / "run" / "profile" / "trace.json").exists()
    assert re.search(r"phase +calls +CPU ms/call +device ms/call\nd +20 ", out)


def test_tensorboard_is_an_option(train, tmp_path):
    pytest.importorskip("tensorboard")
    code, _, err = train("plain", "--trainer.steps", 6, "--trainer.tensorboard", "--out", tmp_path / "run")
    assert code == 0, err
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


# ---- when it cannot begin ----------------------------------------------------------------------------------


def test_data_that_cannot_be_opened_leave_no_run(train, toy, monkeypatch, tmp_path):
    def no_data(config, device):
        raise UserError("There are no such data.")

    monkeypatch.setattr(toy, "experiment", no_data)
    assert train("plain")[::2] == (2, "There are no such data.")
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_found_before_the_first_step_leaves_no_run_behind(train, toy, monkeypatch, tmp_path):
    monkeypatch.setattr(toy.Classifier, "watch", "acuracy")
    code, _, err = train("plain", "--out", tmp_path / "run")
    assert code == 2
    assert "Did you mean 'accuracy'" in err
    assert not (tmp_path / "run").exists()
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("division by zero"), 1, "ZeroDivisionError"),
        (
            ValueError("Expected more than 1 value per channel when training, got input size [1, 8]"),
            2,
            "batch-size of at",
        ),
        (RuntimeError("Kernel size can't be greater than actual input size"), 2, "Use a larger --loader.image-size"),
    ],
)
def test_a_training_that_dies_in_its_first_step_leaves_no_run_in_the_way(
    train, toy, monkeypatch, tmp_path, error, code, words
):
    def broken(self, phase, batch):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(toy.Classifier, "loss", broken)
        found, _, err = train("plain", "--out", tmp_path / "run", "--trainer.steps", 3)
    assert found == code
    assert words in err
    assert ("should not" in err) == (code == 1)
    assert not (tmp_path / "run").exists()
    code, _, err = train("plain", "--out", tmp_path / "run", "--trainer.steps", 3)
    assert code == 0, err


def test_batch_normalization_of_one_row_is_a_mistake_with_a_remedy(train, tmp_path):
    code, _, err = train("classifier", "--trainer.batch-size", 1, "--out", tmp_path / "run")
    assert code == 2
    assert "Use a --trainer.batch-size of at least 2" in err
    code, _, err = train("classifier", "--trainer.accumulate", 32, "--out", tmp_path / "run")
    assert code == 2
    assert "a micro-batch of it, has one row" in err


def test_data_that_break_in_the_middle_leave_the_run_to_be_resumed(train, toy, monkeypatch, tmp_path):
    iter_from = toy.Rows.iter_from

    def breaking(self, position):
        for number, batch in enumerate(iter_from(self, position), start=position):
            if number == 15:
                raise UserError("cat-15.png cannot be read.")
            yield batch

    with monkeypatch.context() as patch:
        patch.setattr(toy.Rows, "iter_from", breaking)
        assert train("plain", "--out", tmp_path / "run")[::2] == (2, "cat-15.png cannot be read.")
    code, out, err = train("--resume", tmp_path / "run")
    assert code == 0, err
    assert "continuing at step 14" in out


def test_a_run_without_any_checkpoint_starts_from_the_beginning(train, tmp_path):
    train("plain", "--out", tmp_path / "run", "--trainer.steps", 5)
    for name in ("checkpoints", "result.json"):
        (tmp_path / "run" / name).rename(tmp_path / name)
    code, out, err = train("--resume", tmp_path / "run")
    assert code == 0, err
    assert "no checkpoint yet: starting from step 0" in out
    steps = [line["step"] for line in read_lines(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "train"]
    assert steps == [5]


def test_losses_that_are_never_finite_end_it_with_exit_code_1(train, toy, monkeypatch, tmp_path):
    circle = toy.circle_and_ring
    monkeypatch.setattr(toy, "circle_and_ring", lambda: {**circle(), "x": circle()["x"] * float("nan")})
    code, _, err = train("plain", "--out", tmp_path / "run")
    assert code == 1
    assert "phase 'train' had gradients that are not finite" in err
    assert "The last good checkpoint is that of step" in err


@pytest.mark.parametrize("option", ["--trainer.batch-size=0", "--optim.lr=-1"])
def test_numbers_that_make_no_sense_are_told_before_anything_is_made(train, tmp_path, option):
    code, _, err = train("classifier", option)
    assert code == 2
    assert option.split("=")[0].split(".")[1] in err
    assert not list(tmp_path.iterdir())
