"""Learning curves show what runs logged, and say which runs do not fit together."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from torchworks.rl.commands import COMMANDS
from torchworks.rl.inference.curve import learnt, played
from torchworks.rl.policies.recipes import a2c, ppo
from torchworks.rl.q_learning.recipes import dqn
from torchworks.shared.cli import main


def rl(*words: object) -> int:
    return main("rl", default="ppo", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A tiny finished run."""
    folder = tmp_path_factory.mktemp("runs") / "ppo"
    few = ["--trainer.steps", 4, "--trainer.eval-every", 2, "--trainer.batch-size", 16, "--trainer.device", "cpu"]
    small = ["--rollout.environments", 4, "--rollout.steps", 8, "--rollout.epochs", 1]
    assert rl("train", "ppo", *few, *small, "--out", folder) == 0
    return folder


def another(run: Path, folder: Path, **changed: object) -> Path:
    """The same with other returns, and with a `changed` configuration."""
    shutil.copytree(run, folder)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    lines = [line | ({"return": line["return"] + 100} if line["kind"] == "eval" else {}) for line in lines]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = json.loads((folder / "config.json").read_text()) | changed
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_curve_is_drawn_and_its_end_told_of(run, tmp_path, capsys):
    other = another(run, tmp_path / "other")
    assert rl("curve", run, other, "--out", tmp_path / "curve.png") == 0
    end = learnt(run).points[64]
    said = capsys.readouterr().out
    assert said.startswith("ppo: 2 runs, 64 environment steps, return at the end ")
    assert float(said.split("end ")[1].split()[0]) == pytest.approx(end + 50, abs=0.1)
    with Image.open(tmp_path / "curve.png") as image:
        assert image.width > 600
    assert rl("curve", run, "--out", tmp_path / "curve.png") == 2
    assert "--overwrite" in capsys.readouterr().err


def test_runs_that_do_not_fit_together_are_refused_in_a_paragraph(run, tmp_path, capsys):
    elsewhere = another(run, tmp_path / "elsewhere", data="Acrobot-v1")
    assert rl("curve", run, elsewhere, "--out", tmp_path / "curve.png") == 2
    assert "returns of different environments" in " ".join(capsys.readouterr().err.split())
    early, late = (only(step, another(run, tmp_path / f"only-{step}")) for step in (2, 4))
    assert rl("curve", early, late, "--out", tmp_path / "curve.png") == 2
    assert "differ in their seed only" in " ".join(capsys.readouterr().err.split())
    assert rl("curve", tmp_path / "none", "--out", tmp_path / "curve.png") == 2
    assert "There is no run directory" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "curve.png").exists()


def only(step: int, folder: Path) -> Path:
    """The run in `folder` with its evaluation at `step` alone."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    kept = [json.dumps(line) for line in lines if line["kind"] == "eval" and line["step"] == step]
    (folder / "metrics.jsonl").write_text("\n".join(kept) + "\n")
    return folder


def test_runs_of_different_lengths_are_drawn_as_far_as_both_go(run, tmp_path, capsys):
    shorter = only(2, another(run, tmp_path / "shorter"))
    assert rl("curve", run, shorter, "--out", tmp_path / "curve.png") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "ppo: 1 evaluation left out that not all of its runs have"
    assert said[1].startswith("ppo: 2 runs, 32 environment steps, ")


def test_the_environments_of_all_processes_count(run, tmp_path):
    shared = another(run, tmp_path / "shared")
    about = json.loads((shared / "env.json").read_text())
    (shared / "env.json").write_text(json.dumps(about | {"processes": 2}))
    assert list(learnt(shared).points) == [2 * steps for steps in learnt(run).points]


def test_environment_steps_are_those_that_were_played_before_an_evaluation():
    assert played(ppo(), 1856) == 58 * 1024
    assert played(ppo(), 1) == 1024
    assert played(ppo(), 33) == 2048
    assert played(a2c(), 500) == 500 * 128
    replay = dqn().replay
    warmed = -(-replay.warmup // replay.environments) * replay.environments
    assert played(dqn(), 10 * replay.updates) == warmed + 10 * replay.environments
