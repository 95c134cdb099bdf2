"""A training shared by two processes is that of one with twice the environments and batches of twice the size."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from torchworks.shared.testing_runs import BETWEEN_TWO, finish, start
from torchworks.shared.training.metrics import read_lines

TRAIN = (
    "-m", "torchworks.rl", "train", "--trainer.log-every", "1", "--trainer.eval-every", "0", "--device", "cpu",
    "--precision", "fp32", "--optim.schedule", "constant", "--rollout.steps", "8", "--net.width", "16",
)  # fmt: skip


def train(recipe: str, *words: object) -> tuple[object, ...]:
    return (*TRAIN[:3], recipe, *TRAIN[3:], "--trainer.steps", 16, *words)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "words", "batch"),
    [
        ("ppo", (), 16),
        pytest.param("ppo", ("--data", "Pendulum-v1"), 16, marks=pytest.mark.long),
        pytest.param("ppo-lstm", ("--net.memory", 8), 16, marks=pytest.mark.long),
    ],
)
def test_two_processes_train_a_policy_like_one_with_twice_the_environments(tmp_path: Path, recipe, words, batch):
    """Two rounds, so that the second one's play is by what was learnt from the first."""
    common = train(recipe, "--rollout.epochs", 4, *words)
    two, one = tmp_path / "two", tmp_path / "one"
    finish(
        start(*common, "--rollout.environments", 4, "--trainer.batch-size", batch, "--out", two, launcher=BETWEEN_TWO)
    )
    finish(start(*common, "--rollout.environments", 8, "--trainer.batch-size", 2 * batch, "--out", one))
    logs = [[line for line in read_lines(folder / "metrics.jsonl") if line["kind"] == "train"] for folder in (one, two)]
    for score in ("loss", "value", "entropy", "divergence"):
        ours, theirs = ([line[f"learn/{score}"] for line in log] for log in logs)
        assert len(ours) == 16
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (one, two))
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=1e-4)
    scores = [json.loads((folder / "result.json").read_text())["return"] for folder in (one, two)]
    assert scores[0] == pytest.approx(scores[1], rel=0.05)


@pytest.mark.long
def test_two_processes_continue_exactly_where_they_stopped(tmp_path: Path):
    words = ("--rollout.environments", 4, "--trainer.batch-size", 16, "--rollout.epochs", 4)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    finish(start(*train("ppo", *words), "--out", whole, launcher=BETWEEN_TWO))
    finish(start(*train("ppo", *words), "--trainer.steps", 10, "--out", halves, launcher=BETWEEN_TWO))
    resume = (*TRAIN[:3], "--resume", halves, "--trainer.steps", 16)
    finish(start(*resume, launcher=BETWEEN_TWO))
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (halves, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    alone = start(*TRAIN[:3], "--resume", halves, "--trainer.steps", 20)
    said, _ = alone.communicate(timeout=100)
    assert alone.returncode == 2
    assert "continue it with as many, not with 1" in " ".join(said.split())


@pytest.mark.slow
def test_what_cannot_be_shared_says_so():
    process = start(*TRAIN[:3], "dqn", "--dry-run", "--device", "cpu", launcher=BETWEEN_TWO)
    said, _ = process.communicate(timeout=100)
    assert process.returncode
    assert "The recipe dqn learns in one process: start `train` without torchrun." in " ".join(said.split())
