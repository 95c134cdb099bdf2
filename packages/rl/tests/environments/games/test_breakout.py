"""The rules of Breakout: walls, bricks, the paddle, the end."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from torchworks.rl.environments.games.breakout import (
    AHEAD,
    BALL,
    BRICKS,
    LEFT,
    PADDLE,
    RIGHT,
    SIDE,
    STAY,
    Breakout,
    Cell,
)
from torchworks.rl.environments.games.breakout_rules import aim, follow
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.playing import play
from torchworks.rl.environments.state import restores


def placed(ball: Cell, speed: Cell, paddle: int, bricks: list[Cell] | None = None) -> Breakout:
    game = Breakout()
    game.reset(seed=0)
    game.ball, game.speed, game.paddle = ball, speed, paddle
    if bricks is not None:
        game.bricks[:] = 0
        for brick in bricks:
            game.bricks[brick] = 1
    return game


@pytest.mark.parametrize("name", ["Breakout10-v0", "Breakout10Sticky-v0"])
def test_it_is_an_environment_of_gymnasium_that_goes_on_exactly(name):
    check_env(gymnasium.make(name).unwrapped, skip_render_check=True)
    assert restores(gymnasium.make(name), gymnasium.make(name), steps=100)


@pytest.mark.parametrize(
    ("ball", "speed", "after", "faster"),
    [
        ((5, 4), (1, 1), (6, 5), (1, 1)),
        ((5, 9), (1, 1), (6, 8), (1, -1)),
        ((5, 0), (-1, -1), (4, 1), (-1, 1)),
        ((0, 4), (-1, 1), (1, 5), (1, 1)),
        ((0, 0), (-1, -1), (1, 1), (1, 1)),
    ],
    ids=["free", "right wall", "left wall", "ceiling", "corner"],
)
def test_walls_send_the_ball_back(ball, speed, after, faster):
    game = placed(ball, speed, 0, [(9, 0)])
    seen, reward, terminated, _, _ = game.step(STAY)
    assert (game.ball, game.speed, reward, terminated) == (after, faster, 0, False)
    assert np.argwhere(seen[BALL]).tolist() == [list(after)]


def test_where_the_ball_comes_next_is_seen():
    assert np.argwhere(placed((5, 9), (1, 1), 0)._seen()[AHEAD]).tolist() == [[6, 8]]


def test_a_brick_is_a_reward_and_sends_the_ball_back():
    game = placed((4, 5), (-1, 1), 0)
    seen, reward, *_ = game.step(STAY)
    assert (game.ball, game.speed, reward) == ((4, 5), (1, 1), 1)
    assert seen[BRICKS].sum() == 29
    assert seen[BRICKS, 3, 6] == 0


@pytest.mark.parametrize(
    ("paddle", "after", "faster", "terminated"),
    [(5, (7, 6), (-1, 1), False), (6, (7, 5), (-1, -1), False), (4, (9, 6), (1, 1), True)],
    ids=["straight below", "where it comes to", "missed"],
)
def test_the_paddle_sends_the_ball_up_and_a_lost_ball_ends_the_episode(paddle, after, faster, terminated):
    game = placed((8, 5), (1, 1), paddle)
    _, _, ended, truncated, _ = game.step(STAY)
    assert (game.ball, game.speed, ended, truncated) == (after, faster, terminated, False)


def test_the_paddle_moves_before_the_ball_and_stays_on_the_board():
    game = placed((8, 5), (1, 1), 6)
    assert game.step(LEFT)[2] is False
    game = placed((5, 5), (1, 1), 0)
    assert game.step(LEFT)[0][PADDLE, SIDE - 1].argmax() == 0
    game = placed((5, 5), (1, 1), SIDE - 1)
    assert game.step(RIGHT)[0][PADDLE, SIDE - 1].argmax() == SIDE - 1


def test_a_cleared_wall_is_built_again():
    game = placed((4, 5), (-1, 1), 7, [(3, 6)])
    assert game.step(STAY)[0][BRICKS].sum() == 0
    assert game.step(STAY)[0][BRICKS].sum() == 30  # the ball is in row 5
    assert game.step(STAY)[2] is False


def test_a_sticky_action_is_taken_again():
    game = Breakout(sticky=1.0)
    game.reset(seed=3)
    before = game.paddle
    for _ in range(3):
        game.step(RIGHT)  # the action before all was to stay
    assert game.paddle == before


def test_an_episode_without_a_lost_ball_is_cut_off_and_planning_hits_more_bricks():
    kind = kind_of("Breakout10-v0")
    (followed,), (aimed,) = play(kind, [0], follow), play(kind, [0], aim)
    assert (followed.steps, aimed.steps) == (1000, 1000)
    assert aimed.total > 3 * followed.total > 30
