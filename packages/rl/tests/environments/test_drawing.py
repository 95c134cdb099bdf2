"""Pictures of environments show what agents see."""

import numpy as np
import pytest
import torch

from torchworks.rl.environments.drawing import HEIGHT, PENS, WIDTH, draw
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.playing import film, play
from torchworks.rl.environments.rules import RULES

GOOD = {
    "CartPole-v1": 500.0,
    "Acrobot-v1": -130.0,
    "MountainCar-v0": -140.0,
    "MountainCarContinuous-v0": 85.0,
    "Pendulum-v1": -260.0,
}


@pytest.mark.parametrize("name", [*RULES, "FrozenLake-v1"])
def test_frames_change_with_what_is_seen(name):
    kind = kind_of(name)
    a, b = np.zeros(kind.width, np.float32), np.full(kind.width, 0.4, np.float32)
    first, second = draw(kind, a), draw(kind, b)
    assert first.shape == (3, HEIGHT, WIDTH)
    assert first.dtype == torch.uint8
    assert not torch.equal(first, second)


def test_a_pole_that_leans_right_is_drawn_leaning_right():
    kind = kind_of("CartPole-v1")
    leaning = draw(kind, np.array([0, 0, 0.4, 0], np.float32)).float()
    straight = draw(kind, np.zeros(4, np.float32)).float()
    orange = [(image[0] - image[2] > 100).nonzero()[:, 1].float().mean() for image in (leaning, straight)]
    assert orange[0] > orange[1] + 10


@pytest.mark.parametrize("name", RULES)
def test_rules_written_by_hand_play_well(name):
    kind = kind_of(name)
    assert np.mean([each.total for each in play(kind, range(5), RULES[name])]) >= GOOD[name]


def test_a_film_ends_with_the_episode():
    kind = kind_of("CartPole-v1")
    frames, played = film(kind, 0, lambda seen: np.zeros(len(seen), int), every=2)
    assert played.steps < 20
    assert len(frames) == (played.steps + 1) // 2 + 1
    assert set(PENS) >= set(RULES)
