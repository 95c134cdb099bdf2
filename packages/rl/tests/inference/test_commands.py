"""What the commands do with a finished run and with environments, and what they say of mistakes."""

import json
import shutil
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from PIL import Image

from torchworks.rl.commands import COMMANDS
from torchworks.rl.inference.asking import asked
from torchworks.rl.inference.play import NAMES
from torchworks.shared.cli import main


def rl(*words: object) -> int:
    return main("rl", default="ppo", commands=COMMANDS, arguments=[str(word) for word in words])


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Tiny finished runs."""
    folder = tmp_path_factory.mktemp("runs")
    few = ["--trainer.steps", 2, "--trainer.eval-every", 0, "--trainer.batch-size", 16, "--trainer.device", "cpu"]
    small = {
        "ppo": ["--rollout.environments", 4, "--rollout.steps", 8],
        "dqn": ["--replay.environments", 2, "--replay.warmup", 20],
        "sac": ["--replay.environments", 2, "--replay.warmup", 20],
    }
    for recipe, words in small.items():
        assert rl("train", recipe, *few, *words, "--out", folder / recipe) == 0
    return {recipe: folder / recipe for recipe in small}


@pytest.mark.parametrize("recipe", ["ppo", "dqn", "sac"])
def test_a_film_is_written_and_told_of(runs, recipe, capsys, tmp_path):
    assert rl("watch", runs[recipe], "--out", tmp_path / "film.gif", "--every", 3) == 0
    said = capsys.readouterr().out
    with Image.open(tmp_path / "film.gif") as film:
        steps = int(said.split(" in ")[1].split()[0])
        assert film.n_frames in (steps // 3 + 1, steps // 3 + 2)
        assert film.size == (320, 200)
    before = (tmp_path / "film.gif").read_bytes()
    assert rl("watch", runs[recipe], "--out", tmp_path / "film.gif") == 2
    assert (tmp_path / "film.gif").read_bytes() == before


def test_a_training_leaves_a_film_of_what_it_has_learnt(runs):
    (film,) = (runs["ppo"] / "samples").glob("episode-*.gif")
    with Image.open(film) as shown:
        assert shown.size == (320, 200)


def test_episodes_are_played_and_compared(runs, capsys):
    assert rl("evaluate", runs["ppo"], "--episodes", 3) == 0
    said = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(said["return_min"]) <= float(said["return"]) <= float(said["return_max"])
    assert float(said["return_rule"]) == 500
    first = said["return"]
    assert rl("evaluate", runs["ppo"], "--episodes", 3) == 0
    assert dict(line.split() for line in capsys.readouterr().out.splitlines())["return"] == first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["watch", "RUN", "--out", "film.png"], "written as GIF"),
        (["watch", "RUN", "--every", "0"], "--every is 0"),
        (["evaluate", "RUN", "--episodes", "0"], "--episodes is 0"),
        (["curve"], "A curve needs runs"),
        (["train", "ppo", "--seed", "99999999999999999999"], "whole number of 64 bits"),
        (["train", "ppo", "--out", ""], "--out is empty"),
        (["check", "CartPol-v1"], "Did you mean 'CartPole-v1'"),
        (["train", "dqn", "--data", "Pendulum-v1"], "Use the recipe ppo"),
        (["train", "sac", "--data", "CartPole-v1"], "Use the recipe dqn or ppo"),
        (["train", "ppo", "--data", "LunarLander-v3"], "cannot be made"),
        (["train", "a2c", "--rollout.epochs", "4"], "--rollout.epochs 1"),
    ],
)
def test_mistakes_get_a_paragraph(runs, words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert rl(*[str(runs["ppo"]) if word == "RUN" else word for word in words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", ["Acrobot-v1", "Pendulum-v1"])
def test_an_environment_that_has_changed_since_is_named(runs, other, capsys, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(runs["ppo"], folder)
    config = json.loads((folder / "config.json").read_text()) | {"data": other}
    (folder / "config.json").write_text(json.dumps(config))
    for words in (["watch", folder], ["evaluate", folder, "--episodes", 2]):
        assert rl(*words) == 2
        assert f"{other} has changed since" in " ".join(capsys.readouterr().err.split())


def test_a_checkpoint_of_fewer_environments_is_refused(runs, capsys, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(runs["dqn"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["replay"]["environments"] = 3
    (folder / "config.json").write_text(json.dumps(config))
    assert rl("train", "--resume", folder, "--trainer.steps", 4) == 2
    assert "another number or another kind of environments than 3" in " ".join(capsys.readouterr().err.split())


def test_signs_that_cannot_be_seen_are_not_read(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "\x00 \x07LEFT\x1b")
    assert asked("?") == "left"


def test_each_action_can_be_entered_as_it_is_called():
    assert all(len(name.split()) == 1 for names in NAMES.values() for name in names)


class Broken(gymnasium.Env):
    """Shows what is beyond its limits, rewards by what is no number, and does as it likes whatever the seed."""

    observation_space, action_space = Box(0, 1, (2,)), Discrete(2)
    made = 0

    def reset(self, *, seed=None, options=None):
        Broken.made += 1
        return np.full(2, 1 + Broken.made, np.float32), {}

    def step(self, action):
        return np.full(2, 7, np.float32), float("nan"), False, False, {}


@pytest.fixture
def broken():
    gymnasium.register("Broken-v0", Broken)
    yield "Broken-v0"
    del gymnasium.registry["Broken-v0"]


def test_an_environment_is_told_what_is_wrong_with_it(broken, capsys):
    assert rl("check", broken, "--steps", 20) == 2
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "what it shows first is not in its observation space",
        "20 of 20 observations are not in its observation space",
        "20 of 20 rewards are not finite",
        "no limit of steps",
        "the same seed and the same actions do not give the same episode",
    ):
        assert words in said


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "Taxi-v4"])
def test_a_good_one_is_told_that_it_is(name, capsys):
    assert rl("check", name) == 0
    assert "nothing is wrong with it" in capsys.readouterr().out
