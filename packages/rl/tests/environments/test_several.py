"""Poles that are computed together are the same as separate ones."""

import numpy as np
import pytest

from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.playing import play
from torchworks.rl.environments.rules import cart_pole
from torchworks.rl.environments.several import CartPoles, Separate, several

SEEDS = [7, 8, 9]


@pytest.fixture(scope="module")
def kind():
    return kind_of("CartPole-v1")


def test_cart_pole_is_computed_together_and_others_are_not(kind):
    assert isinstance(several(kind, SEEDS), CartPoles)
    assert isinstance(several(kind_of("Pendulum-v1"), SEEDS), Separate)


@pytest.mark.parametrize("rule", ["random", "cart_pole"])
def test_episodes_together_are_those_of_separate_environments(kind, rule):
    """By chance they are short and end by themselves; the rule lets them last until the limit cuts them off."""
    together, apart, random = CartPoles(kind, SEEDS), Separate(kind, SEEDS), np.random.default_rng(0)
    seen, ended = together.observation, {"terminated": 0, "truncated": 0}
    assert np.array_equal(seen, apart.observation)
    for _ in range(600):
        actions = random.integers(2, size=3) if rule == "random" else cart_pole(seen)
        a, b = together.step(actions), apart.step(actions)
        for name in ("observation", "last", "reward", "terminated", "truncated"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name
        seen, ended = a.observation, {name: count + getattr(a, name).sum() for name, count in ended.items()}
    assert ended["terminated" if rule == "random" else "truncated"] >= 3


@pytest.mark.parametrize("made", [CartPoles, Separate])
def test_the_first_episodes_of_some_do_not_depend_on_the_others(kind, made):
    alone, many = made(kind, [8]), made(kind, SEEDS)
    for action in (0, 1, 1, 0, 1):
        a, b = alone.step(np.array([action])), many.step(np.array([action, action]), np.array([1, 2]))
        assert np.array_equal(a.observation[0], b.observation[0])
        assert b.observation.shape == (2, 4)
        assert b.reward.tolist() == [1, 1]


def test_played_episodes_end_when_each_of_them_ends(kind):
    played = play(kind, SEEDS, lambda seen: np.ones(len(seen), np.int64))
    for seed, episode in zip(SEEDS, played, strict=True):
        assert play(kind, [seed], lambda seen: np.ones(len(seen), np.int64)) == [episode]
        assert 7 < episode.steps == episode.total < 13
