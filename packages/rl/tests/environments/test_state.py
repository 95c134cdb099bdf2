"""An environment that gets another's state goes on exactly like it."""

import io
import random
from collections import deque

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from torchworks.rl.environments.state import restore, restores, state_of

KNOWN = [
    "CartPole-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1", "FrozenLake-v1",
    "Taxi-v4", "CliffWalking-v1",
]  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_environments_of_gymnasium_go_on_exactly(name):
    assert restores(gymnasium.make(name), gymnasium.make(name))


@pytest.mark.parametrize("name", ["CartPole-v1", "Taxi-v4"])
def test_the_state_can_be_saved_and_read_without_running_code(name):
    environment, other = gymnasium.make(name), gymnasium.make(name)
    environment.reset(seed=3)
    for _ in range(7):
        environment.step(1)
    file = io.BytesIO()
    torch.save(state_of(environment), file)
    file.seek(0)
    other.reset(seed=4)
    restore(other, torch.load(file, weights_only=True))
    for action in (0, 1, 1, 0):
        a, b = environment.step(action), other.step(action)
        assert np.array_equal(a[0], b[0])
        assert a[1:4] == b[1:4]


def test_time_limits_and_generators_of_random_numbers_are_part_of_it():
    environment, other = (gymnasium.make("CartPole-v1", max_episode_steps=5) for _ in range(2))
    environment.reset(seed=0)
    for _ in range(3):
        environment.step(0)
    other.reset(seed=1)
    restore(other, state_of(environment))
    assert other.step(1)[3] is False
    assert other.step(1)[3] is True
    environment.step(1)
    environment.step(1)
    assert np.array_equal(environment.reset()[0], other.reset()[0])


def test_a_restored_environment_shares_nothing_with_the_first():
    environment, other = gymnasium.make("CartPole-v1"), gymnasium.make("CartPole-v1")
    environment.reset(seed=0)
    other.reset(seed=1)
    state = state_of(environment)
    restore(other, state)
    other.step(1)
    restore(environment, state)
    again = gymnasium.make("CartPole-v1")
    again.reset(seed=0)
    assert np.array_equal(environment.step(1)[0], again.step(1)[0])


class Hiding(gymnasium.Env):
    """An environment whose state is in an object that nobody can read."""

    observation_space, action_space = Box(0, 1e6, (1,)), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.counter = iter(range(10**6))
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.array([next(self.counter)], np.float32), 0.0, False, False, {}


def test_an_environment_that_hides_its_state_is_found_out():
    assert not restores(Hiding(), Hiding())


class Hoarding(gymnasium.Env):
    """Keeps its state in a table, a queue, a set and a generator of Python's."""

    observation_space, action_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,)), gymnasium.spaces.Discrete(2)

    def __init__(self):
        self.trail, self.cells, self.seen, self.chance = deque(maxlen=3), {"x": 0, (1, 2): [3]}, {0}, random.Random(0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.trail.clear()
        return self._shown(), {}

    def step(self, action):
        self.cells["x"] += self.chance.choice([-1, 1]) * (1 + action)
        self.trail.append(self.cells["x"])
        self.seen.add(self.cells["x"])
        return self._shown(), float(self.cells["x"]), len(self.seen) % 7 == 0, False, {}

    def _shown(self):
        return np.array([sum(self.trail), len(self.seen), self.cells["x"]], np.float32)


def test_tables_queues_sets_and_pythons_generators_are_kept():
    assert restores(Hoarding(), Hoarding())
    one, other = Hoarding(), Hoarding()
    one.step(1)
    restore(other, state_of(one))
    assert (other.trail, other.cells, other.seen) == (one.trail, one.cells, one.seen)
    assert other.trail.maxlen == 3
    assert other.cells[(1, 2)] is not one.cells[(1, 2)]
