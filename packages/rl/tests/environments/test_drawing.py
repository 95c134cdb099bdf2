"""Pictures of environments show what agents see."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from torchworks.rl.environments.drawing import HEIGHT, PENS, WIDTH, draw
from torchworks.rl.environments.games import GAMES
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.playing import film, play
from torchworks.rl.environments.rules import RULES

GOOD = {
    "CartPole-v1": 500.0,
    "Acrobot-v1": -130.0,
    "MountainCar-v0": -140.0,
    "MountainCarContinuous-v0": 85.0,
    "Pendulum-v1": -260.0,
    "HiddenCartPole-v1": 490.0,
    "HiddenPendulum-v1": -260.0,
    "Corridor-v0": 1.0,
    "LongCorridor-v0": 1.0,
    "Snake10-v0": 20.0,
    "Snake10Ways-v0": 20.0,
    "Breakout10-v0": 15.0,
    "Breakout10Sticky-v0": 1.0,
    "ConnectFour-v0": 0.6,
}


@pytest.mark.parametrize("name", [name for name in RULES if not kind_of(name).grid] + ["FrozenLake-v1"])
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


@pytest.mark.parametrize("name", GOOD)
def test_rules_written_by_hand_play_well(name):
    kind = kind_of(name)
    assert np.mean([each.total for each in play(kind, range(5), RULES[name])]) >= GOOD[name]


@pytest.mark.parametrize("name", GAMES)
def test_a_film_of_a_game_shows_its_board(name):
    kind = kind_of(name)
    frames, played = film(kind, 1, RULES[name], every=1, longest=12)
    assert len(frames) == played.steps + 1
    assert all(not torch.equal(a[:, 20:], b[:, 20:]) for a, b in pairwise(frames))


def test_a_snake_is_drawn_where_it_is_on_the_board():
    shown = np.zeros((2, 10, 10), np.int16)
    shown[0, 0, :4], shown[1, 9, 9] = (1, 2, 3, 4), 1
    image = draw(kind_of("Snake10-v0"), shown).permute(1, 2, 0).tolist()
    blue, orange = (
        [(row, column) for row in range(HEIGHT) for column in range(WIDTH) if image[row][column] == color]
        for color in ([47, 111, 178], [200, 100, 30])
    )
    assert max(row for row, _ in blue) < min(row for row, _ in orange)
    assert max(column for _, column in blue) < min(column for _, column in orange)


def test_a_film_ends_with_the_episode():
    kind = kind_of("CartPole-v1")
    frames, played = film(kind, 0, lambda seen: np.zeros(len(seen), int), every=2)
    assert played.steps < 20
    assert len(frames) == (played.steps + 1) // 2 + 1
    assert set(PENS) >= set(RULES)
