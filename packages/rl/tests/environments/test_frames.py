"""Pixels as agents see them, in a tiny console of two lives whose frames are one number each."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import FrameStackObservation, TimeLimit

from torchworks.rl.environments.frames import Frames
from torchworks.rl.environments.games import pixel_rules
from torchworks.rl.environments.games.breakout import Breakout
from torchworks.rl.environments.games.pixels import PixelBreakout
from torchworks.rl.environments.opening import as_numbers, kind_of, make, source_of
from torchworks.rl.environments.playing import film
from torchworks.rl.environments.rules import RULES
from torchworks.rl.environments.state import restores


class Console(gymnasium.Env):
    """Its frames are as bright as their number, odd ones 100 brighter above; frame 20 costs a life, and so does 40."""

    action_space = Discrete(5)

    def __init__(self, shape=(210, 160, 3)):
        self.observation_space, self.frame, self.taken = Box(0, 255, shape, np.uint8), 0, [0]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.frame, self.taken = 0, [0]
        return self._frame(), {"lives": 2}

    def step(self, action):
        self.frame, self.taken = self.frame + 1, [*self.taken, int(action)]
        lives = 2 - self.frame // 20
        return self._frame(), float(action), lives == 0, False, {"lives": lives}

    def _frame(self):
        image = np.full(self.observation_space.shape, self.frame, np.uint8)
        image[: len(image) // 2] += 100 * (self.frame % 2)
        return image


@pytest.mark.parametrize("shape", [(210, 160, 3), (210, 160), (100, 90)])
def test_four_frames_are_a_step_and_the_larger_of_the_last_two_is_seen(shape):
    frames = Frames(Console(shape))
    seen, info = frames.reset(seed=0)
    assert seen.shape == (4, 84, 84)
    assert seen.dtype == np.uint8
    assert info == {"lives": 2}
    seen, reward, *_ = frames.step(3)
    seen, *_ = frames.step(3)
    assert reward == 12
    assert seen[:, 0, 0].tolist() == [0, 0, 103, 107]  # frames 3 and 7
    assert seen[:, -1, -1].tolist() == [0, 0, 4, 8]


def test_a_smaller_image_has_the_mean_of_what_its_pixels_cover():
    frame = np.random.default_rng(0).integers(256, size=(168, 252), dtype=np.uint8)
    console = Console(frame.shape)
    console._frame = lambda: frame
    seen = Frames(console).reset(seed=0)[0]
    np.testing.assert_allclose(seen[0], frame.reshape(84, 2, 84, 3).mean((1, 3)), atol=0.501)


def test_a_lost_life_is_told_and_ends_nothing():
    frames = Frames(Console())
    frames.reset(seed=0)
    steps = [frames.step(0) for _ in range(10)]
    assert [i for i, (*_, info) in enumerate(steps) if info["life_lost"]] == [4, 9]
    assert [i for i, (_, _, terminated, *_) in enumerate(steps) if terminated] == [9]


def test_sticky_actions_are_taken_again_frame_by_frame():
    console = Console()
    frames = Frames(console, sticky=0.25)
    repeated = []
    for seed in range(60):
        frames.reset(seed=seed)
        for action in (1, 2, 3, 4):
            frames.step(action)
        taken = console.taken[1:]
        repeated += [taken[4 * i] != i + 1 for i in range(4)]
        assert all(a == b or b == i // 4 + 1 for i, (a, b) in enumerate(zip(console.taken, taken, strict=False)))
    assert 0.17 < np.mean(repeated) < 0.33


def test_an_episode_begins_with_a_random_number_of_frames_of_no_action():
    console = Console()
    frames = Frames(console, noops=15)
    begun = [(frames.reset(seed=seed), console.frame)[1] for seed in range(80)]
    assert set(begun) == set(range(16))
    assert not any(console.taken)


def test_its_state_is_plain_and_goes_on_exactly():
    pair = [TimeLimit(Frames(Console(), sticky=0.25, noops=15), 30) for _ in range(2)]
    assert restores(*pair)
    assert restores(make("PixelBreakout10-v0"), make("PixelBreakout10-v0"))


def test_breakout_in_pixels_is_breakout():
    pixels, cells = make("PixelBreakout10-v0"), Breakout()
    rng = np.random.default_rng(1)
    seen, plain = pixels.reset(seed=7)[0], cells.reset(seed=7)[0]
    rewards = 0.0
    for _ in range(40):
        action = int(rng.integers(3))
        seen, reward, *_, info = pixels.step(action)
        plain, wanted, lost, _, _ = cells.step(action)
        assert (reward, info["life_lost"]) == (wanted, lost)
        if lost:
            break
        found = pixel_rules.cells(as_numbers(kind_of("PixelBreakout10-v0"), [seen])[0])
        assert np.array_equal(found[[0, 1, 3]], plain[[0, 1, 3]])
        rewards += reward
    assert lost


def test_a_rule_plays_by_pixels():
    kind = kind_of("PixelBreakout10-v0")
    frames, played = film(kind, 1, RULES[kind.id], every=100, longest=160)
    assert played.total >= 14
    assert len(frames) == 3


def test_bricks_stay_when_a_ball_is_lost_and_the_third_one_ends_it():
    game = PixelBreakout()
    game.reset(seed=0)
    game.bricks[1, :5] = 0
    infos = [game.step(0) for _ in range(400)]
    ended = next(i for i, step in enumerate(infos) if step[2])
    assert [infos[i][4]["lives"] for i in (0, ended - 1, ended)] == [3, 1, 0]
    assert game.bricks.sum() <= 25


def test_images_are_judged_by_fewer_episodes():
    kind = kind_of("PixelBreakout10-v0")
    assert (kind.grid, kind.most, kind.stack, kind.is_pixels) == ((4, 84, 84), 255, True, True)
    source = source_of(kind)
    assert (len(source.train), len(source.test)) == (4, 20)
    snake = kind_of("Snake10-v0")
    assert not snake.stack
    assert not snake.is_pixels


def test_a_stack_of_gymnasium_is_seen_as_one():
    gymnasium.register("StackedConsole-v0", lambda: FrameStackObservation(Console((50, 50)), 3))
    try:
        assert kind_of("StackedConsole-v0").stack
    finally:
        del gymnasium.registry["StackedConsole-v0"]
