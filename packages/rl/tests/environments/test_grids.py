"""Observations that are grids: what is made of their spaces, and that agents learn from them and go on exactly."""

from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from torchworks.rl.algorithms.c51 import support
from torchworks.rl.environments.drawing import HEIGHT, WIDTH, draw
from torchworks.rl.environments.opening import Kind, kind_of
from torchworks.rl.environments.signature import observation_of
from torchworks.rl.environments.stepping import Environments
from torchworks.rl.memory.acting import Acting
from torchworks.rl.memory.config import ReplayConfig
from torchworks.rl.memory.replay import Replay
from torchworks.rl.policies.config import PolicyNet, RolloutConfig
from torchworks.rl.policies.predictor import build_policy, make_agent, policy_config
from torchworks.rl.policies.rollouts import Rollouts
from torchworks.rl.q_learning.config import ExplorationConfig, QNetConfig
from torchworks.rl.q_learning.exploring import Exploring
from torchworks.rl.q_learning.predictor import build_values, make_net, values_config
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_predictor
from torchworks.shared.testing_runs import killed_and_resumed


class Dot(gymnasium.Env):
    """A dot on a board of 3 x 4 cells and a goal, a plane each; actions move it right or down. Its place is what is
    rewarded."""

    observation_space, action_space = Box(0, 1, (2, 3, 4), np.uint8), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = [int(self.np_random.integers(3)), 0]
        return self._seen(), {}

    def step(self, action):
        self.place[1 - action] += 1
        ended = self.place[0] == 3 or self.place[1] == 4
        return self._seen(), float(self.place == [2, 3]), ended, False, {}

    def _seen(self):
        seen = np.zeros((2, 3, 4), np.uint8)
        seen[0, min(self.place[0], 2), min(self.place[1], 3)] = 1
        seen[1, 2, 3] = 1
        return seen


class Floats(Dot):
    observation_space = Box(-1, 1, (2, 3, 4), np.float32)


class Image(Dot):
    observation_space = Box(0, 255, (21, 16, 3), np.uint8)


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    games = {"Dot-v0": Dot, "Floats-v0": Floats, "Image-v0": Image}
    for name, entry in games.items():
        gymnasium.register(name, entry, max_episode_steps=20)
    yield
    for name in games:
        del gymnasium.registry[name]


@pytest.fixture
def dot(registered) -> Kind:
    return kind_of("Dot-v0")


def test_a_grid_of_whole_numbers_is_known_by_its_space(dot):
    assert (dot.grid, dot.shape, dot.width, dot.most) == ((2, 3, 4), (2, 3, 4), 24, 1)
    assert (kind_of("Floats-v0").grid, kind_of("Floats-v0").most) == ((2, 3, 4), 0)
    assert (kind_of("CartPole-v1").grid, kind_of("CartPole-v1").shape) == ((), (4,))
    spec = observation_of(dot)
    assert (spec.shape, spec.low, spec.high) == (("N", 2, 3, 4), 0, 1)


def test_an_image_whose_channels_come_last_is_refused_with_what_to_do():
    with pytest.raises(UserError, match="channels last"):
        kind_of("Image-v0")


def test_steps_of_several_environments_keep_the_shape(dot):
    envs = Environments(dot, [0, 1, 2])
    steps = envs.step(np.array([0, 1, 0]))
    for seen in (steps.observation, steps.last, envs.observation):
        assert (seen.shape, seen.dtype) == ((3, 2, 3, 4), np.float32)
    other = Environments(dot, [3, 4, 5])
    other.load_state_dict(envs.state_dict())
    for _ in range(12):
        a, b = (each.step(np.array([1, 0, 0])) for each in (envs, other))
        assert np.array_equal(a.last, b.last)
        assert np.array_equal(a.observation, b.observation)


def test_a_grid_is_drawn_plane_by_plane(dot):
    first, _ = Dot().reset(seed=0)
    image = draw(dot, first.astype(np.float32))
    assert image.shape == (3, HEIGHT, WIDTH)
    assert {(47, 111, 178), (200, 100, 30)} <= {tuple(pixel) for pixel in image.flatten(1).T.tolist()}


def test_bytes_are_kept_as_bytes_and_drawn_as_numbers(dot):
    replay = Replay(4, dot.shape, whole=True)
    assert replay.observation.dtype == replay.following.dtype == torch.uint8
    seen = torch.randint(256, (3, 2, 3, 4)).float()
    replay.add(seen, torch.zeros(3).long(), torch.zeros(3), torch.ones(3), seen.flip(0))
    batch = replay.draw(torch.tensor([0.0, 0.4, 0.9]), alpha=0, beta=1)
    assert torch.equal(batch["observation"], seen)
    assert torch.equal(batch["following"], seen.flip(0))


def of_policy(kind: Kind) -> Rollouts:
    torch.manual_seed(0)
    agent = make_agent(kind, PolicyNet(width=8, channels=(4,)))
    return Rollouts(
        Environments(kind, [1, 2]), agent, RolloutConfig(environments=2, steps=8, epochs=2), batch_size=8, seed=0
    )


def of_values(kind: Kind) -> Acting:
    torch.manual_seed(0)
    config = ReplayConfig(environments=2, warmup=20, capacity=30, n_step=2)
    return Acting(
        Environments(kind, [1, 2]),
        Exploring(make_net(kind, QNetConfig(width=8, channels=(4,))), support(0, 1, 1), ExplorationConfig(), steps=100),
        Replay(config.capacity, kind.shape, whole=bool(kind.most)),
        config,
        steps=100,
        batch_size=8,
        seed=0,
    )


@pytest.mark.parametrize("make", [of_policy, of_values])
@pytest.mark.parametrize("name", ["Dot-v0", "Floats-v0", "Snake10-v0", "Breakout10Sticky-v0"])
def test_training_data_of_grids_go_on_exactly(name, make):
    kind = kind_of(name)
    whole, other = make(kind), make(kind)
    batches = whole.iter_from(0)
    for _ in range(7):
        assert next(batches)["observation"].shape == (8, *kind.grid)
    other.load_state_dict(whole.state_dict())
    if isinstance(whole, Acting):
        other.replay.load_state_dict(whole.replay.state_dict())
    again = other.iter_from(7)
    for _ in range(10):
        a, b = next(batches), next(again)
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_predictors_of_grids_keep_the_contract(dot):
    check_predictor(build_policy(policy_config(dot, PolicyNet(width=8, channels=(4,)))))
    check_predictor(build_values(values_config(dot, QNetConfig(width=8, channels=(4, 4), stride=2, dueling=True))))


@pytest.mark.long
def test_a_killed_training_of_a_game_ends_like_a_whole_one_bit_for_bit(tmp_path: Path):
    words = [
        "train", "snake", "--trainer.steps", "40", "--trainer.log-every", "1", "--trainer.checkpoint-every", "3",
        "--trainer.eval-every", "20", "--rollout.environments", "4", "--rollout.steps", "16", "--trainer.batch-size",
        "32", "--net.channels", "4", "--device", "cpu",
    ]  # fmt: skip
    killed_and_resumed(["-m", "torchworks.rl", *words], tmp_path)
