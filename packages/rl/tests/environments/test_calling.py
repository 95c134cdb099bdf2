"""Environments as people write them at first: what is wrong is said in one paragraph, and nothing is learnt from it."""

import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from torchworks.rl.environments.calling import reset, step
from torchworks.rl.environments.opening import Kind, as_numbers, as_taken, kind_of, make, source_of
from torchworks.rl.environments.several import Separate
from torchworks.rl.inference.check import problems
from torchworks.shared.config import UserError


class Plain(gymnasium.Env):
    """Three random numbers, 20 steps."""

    observation_space: Any = Box(-1, 1, (3,))
    action_space: Any = Discrete(2)
    taken = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.taken = 0
        return self.seen(), {}

    def step(self, action) -> Any:
        self.taken += 1
        return self.seen(), self.worth(action), self.taken == 20, False, {}

    def seen(self) -> Any:
        return self.np_random.uniform(-1, 1, 3).astype(np.float32)

    def worth(self, action) -> Any:
        return 1.0 if self.taken % 3 else 0.0


def registered(name: str, **members: Any) -> str:
    """The id of `Plain` with other members."""
    found = f"{name}-v0"
    gymnasium.registry.pop(found, None)
    gymnasium.register(found, type(name, (Plain,), members), max_episode_steps=50)
    return found


def old_step(self, action) -> Any:
    return self.seen(), 1.0, False, {}


def failing(self, action) -> Any:
    raise RuntimeError("the motor\nis lost")


def no_seed(self) -> Any:
    return self.seen(), {}


def leaving(self, action) -> Any:
    sys.exit("good bye")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "Shape": ({"seen": lambda self: np.zeros(4, np.float32)}, "the shape (4,) instead of (3,)"),
    "NoNumbers": ({"seen": lambda self: None}, "the shape () instead of (3,)"),
    "NaN": ({"seen": lambda self: np.full(3, np.nan)}, "not finite"),
    "Reward": ({"worth": lambda self, action: np.array([1.0])}, "A reward of Reward-v0 is array([1.])"),
    "NoReward": ({"worth": lambda self, action: None}, "is None"),
    "TextReward": ({"worth": lambda self, action: "1"}, "is '1'"),
    "NaNReward": ({"worth": lambda self, action: float("nan")}, "is nan"),
    "OldStep": ({"step": old_step}, "expected 5, got 4"),
    "Failing": ({"step": failing}, "failed in `step` (test_calling.py"),
    "Leaving": ({"step": leaving}, "SystemExit: good bye"),
    "OldReset": ({"reset": lambda self, *, seed=None, options=None: np.zeros(3)}, "`return observation, {}`"),
    "NoSeed": ({"reset": no_seed}, "reset(self, *, seed=None"),
    "Symbol": ({"observation_space": Discrete(3), "seen": lambda self: -1}, "whole numbers from 0 to 2"),
    "Fraction": ({"observation_space": Discrete(3), "seen": lambda self: 1.5}, "whole numbers from 0 to 2"),
    "Bytes": (
        {"observation_space": Box(0, 255, (1, 4, 4), np.uint8), "seen": lambda self: np.full((1, 4, 4), 0.5)},
        "other numbers than whole ones from 0 to 255",
    ),
}


def two_steps(kind: Kind) -> None:
    several = Separate(kind, [0, 1])
    for _ in range(2):
        several.step(np.zeros(2, np.int64))


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_play_and_by_check(name: str):
    members, words = WRONG[name]
    environment = registered(name, **members)
    kind = kind_of(environment)
    with pytest.raises(UserError) as error:
        two_steps(kind)
    assert words in str(error.value)
    assert list(problems(kind, 60))


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (Box(0, 5, (2,), np.int32), "whole numbers"),
        (Box(np.array([0, -1], np.float32), np.array([0, 1], np.float32)), "limits are the same"),
        (Box(np.finfo(np.float32).min, np.finfo(np.float32).max, (1,)), "hardly bounded"),
        (Discrete(10**9), "at most 10,000"),
    ],
)
def test_actions_that_nobody_could_learn_are_refused(space, words):
    with pytest.raises(UserError, match=words):
        kind_of(registered("Actions", action_space=space))


def test_observations_of_nothing_and_of_a_million_symbols_are_refused():
    with pytest.raises(UserError, match="nothing to see"):
        kind_of(registered("Nothing", observation_space=Box(0, 1, (0,))))
    with pytest.raises(UserError, match="at most 10,000"):
        kind_of(registered("Many", observation_space=Discrete(1_000_000)))


def test_actions_stay_within_limits_of_twice_the_precision():
    kind = kind_of(registered("Double", action_space=Box(-0.1, 0.1, (1,), np.float64)))
    (action,) = as_taken(kind, np.array([[7.0]], np.float32))
    assert Box(-0.1, 0.1, (1,), np.float64).contains(action)


class Reusing(Plain):
    """Writes each observation into the same array."""

    def __init__(self):
        self.kept = np.zeros(3, np.float32)

    def seen(self):
        self.kept[:] = self.taken / 20
        return self.kept


def test_what_was_seen_last_is_kept_though_a_reset_writes_into_it():
    gymnasium.registry.pop("Reusing-v0", None)
    gymnasium.register("Reusing-v0", Reusing)
    environments = Separate(kind_of("Reusing-v0"), [0])
    for _ in range(20):
        found = environments.step(np.zeros(1, np.int64))
    assert (found.terminated[0], found.last[0, 0], found.observation[0, 0]) == (True, 1, 0)


class Sharing(Plain):
    """Its state belongs to the class, so that all copies have one."""

    state = np.zeros(3, np.float32)

    def seen(self):
        self.state += np.float32(0.001)
        return self.state

    def reset(self, *, seed=None, options=None):
        self.state[:] = 0
        return super().reset(seed=seed)


def test_check_finds_copies_that_disturb_each_other():
    gymnasium.registry.pop("Sharing-v0", None)
    gymnasium.register("Sharing-v0", Sharing)
    assert any("another copy" in problem for problem in problems(kind_of("Sharing-v0"), 60))
    assert not list(problems(kind_of(registered("Good")), 60))


def test_a_symbol_may_be_an_array_and_a_lone_number_a_scalar():
    symbols = kind_of(registered("Symbols", observation_space=Discrete(3)))
    assert as_numbers(symbols, [np.array([2]), np.array([0])]).tolist() == [[0, 0, 1], [1, 0, 0]]
    number = kind_of(registered("Number", observation_space=Box(-1, 1, (1,))))
    assert as_numbers(number, [0.5, 0.25]).tolist() == [[0.5], [0.25]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:", "SyntaxError"),
        ("raise ValueError('no license')", "broken.py, line 1): ValueError: no license"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
    ],
)
def test_a_module_that_cannot_be_imported(tmp_path: Path, monkeypatch, text, words):
    (tmp_path / "broken.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("broken", None)
    with pytest.raises(UserError) as error:
        make("broken:Any-v0")
    assert words in str(error.value)


def test_a_module_is_found_in_the_present_folder(tmp_path: Path, monkeypatch):
    here = "import gymnasium\ngymnasium.register('Here-v0', 'gymnasium.envs.classic_control:CartPoleEnv')\n"
    (tmp_path / "lies_here.py").write_text(here, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(UserError, match="in the folder that lies_here"):
        make("lies_here:Here-v0")
    monkeypatch.chdir(tmp_path)
    environment = make("lies_here:Here-v0")
    assert reset(environment, "Here-v0", 0).shape == (4,)
    assert step(environment, "Here-v0", 1)[1:4] == (1.0, False, False)


@pytest.mark.parametrize("name", ["", ":", "a:b:c", "../x", "CartPole-v1 "])
def test_what_is_no_name_is_refused(name: str):
    with pytest.raises(UserError, match="cannot be made"):
        make(name)


def test_a_training_says_that_an_environment_has_no_limit_of_steps():
    gymnasium.registry.pop("Endless-v0", None)
    gymnasium.register("Endless-v0", Plain)
    assert "max_episode_steps" in source_of(kind_of("Endless-v0")).notes[0]
    assert not source_of(kind_of("ConnectFour-v0")).notes
    assert not source_of(kind_of("CartPole-v1")).notes
