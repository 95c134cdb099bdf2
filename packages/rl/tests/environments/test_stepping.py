"""Steps of several environments are true transitions, however episodes end."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from torchworks.rl.environments.opening import as_numbers, kind_of, seeds_to_judge_by, source_of, training_seed
from torchworks.rl.environments.playing import play
from torchworks.rl.environments.stepping import Environments
from torchworks.shared.config import UserError


class Counting(gymnasium.Env):
    """Sees how many steps it has taken since its reset; action 1 ends an episode."""

    observation_space, action_space = Box(0, 100, (1,)), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return np.array([0], np.float32), {}

    def step(self, action):
        self.count += 1
        return np.array([self.count], np.float32), float(self.count), action == 1, False, {}


class Starting(Counting):
    """The same with actions that are numbered from 5, and symbols."""

    observation_space, action_space = Discrete(10), Discrete(2, start=5)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        assert action in (5, 6)
        self.count += 1
        return self.count, 1.0, action == 6, False, {}


@pytest.fixture(scope="module", autouse=True)
def registered():
    gymnasium.register("Counting-v0", Counting, max_episode_steps=3)
    gymnasium.register("Starting-v0", Starting, max_episode_steps=4)
    yield
    del gymnasium.registry["Counting-v0"], gymnasium.registry["Starting-v0"]


def test_an_ended_episode_is_reset_at_once_and_what_it_saw_last_is_kept():
    envs = Environments(kind_of("Counting-v0"), [0, 1])
    first = envs.step(np.array([0, 1]))
    assert first.observation.tolist() == [[1], [0]]
    assert first.last.tolist() == [[1], [1]]
    assert first.terminated.tolist() == [False, True]
    assert first.truncated.tolist() == [False, False]
    assert first.reward.tolist() == [1, 1]
    second = envs.step(np.array([0, 0]))
    assert second.last.tolist() == second.observation.tolist() == [[2], [1]]
    third = envs.step(np.array([0, 0]))
    assert third.truncated.tolist() == [True, False]
    assert third.terminated.tolist() == [False, False]
    assert third.last.tolist() == [[3], [2]]
    assert third.observation.tolist() == [[0], [2]]
    assert envs.finished == [1.0, 6.0]


def test_a_time_limit_of_three_lets_three_steps_happen():
    played = play(kind_of("Counting-v0"), [0], lambda seen: np.zeros(len(seen), int))
    assert (played[0].steps, played[0].total) == (3, 6.0)


def test_actions_have_the_numbers_of_their_space_and_symbols_are_one_hot():
    kind = kind_of("Starting-v0")
    assert (kind.symbols, kind.actions, kind.first, kind.names) == (10, 2, 5, ("5", "6"))
    envs = Environments(kind, [0])
    assert envs.observation.tolist() == [[1.0] + [0.0] * 9]
    steps = envs.step(np.array([1]))
    assert steps.last.tolist() == [[0.0, 1.0] + [0.0] * 8]
    assert steps.terminated.tolist() == [True]


def test_they_are_the_environments_that_gymnasium_makes_with_these_seeds():
    kind, seeds = kind_of("CartPole-v1"), [7, 8, 9]
    ours, theirs = Environments(kind, seeds), [gymnasium.make("CartPole-v1") for _ in seeds]
    seen = [env.reset(seed=seed)[0] for env, seed in zip(theirs, seeds, strict=True)]
    assert np.array_equal(ours.observation, as_numbers(kind, seen))
    random = np.random.default_rng(0)
    for _ in range(100):
        actions = random.integers(2, size=3)
        steps = ours.step(actions)
        for i, env in enumerate(theirs):
            last, reward, terminated, truncated, _ = env.step(actions[i])
            assert np.array_equal(steps.last[i], last)
            assert (steps.reward[i], steps.terminated[i], steps.truncated[i]) == (reward, terminated, truncated)
            if terminated or truncated:
                last, _ = env.reset()
            assert np.array_equal(steps.observation[i], last)


def test_numbers_beyond_the_limits_of_an_action_are_cut_off():
    kind = kind_of("Pendulum-v1")
    far, near = Environments(kind, [0]), Environments(kind, [0])
    a, b = far.step(np.array([[99.0]], np.float32)), near.step(np.array([[2.0]], np.float32))
    assert np.array_equal(a.last, b.last)
    assert a.reward == b.reward


def test_environments_go_on_exactly_from_their_state():
    kind = kind_of("CartPole-v1")
    envs, random = Environments(kind, [1, 2]), np.random.default_rng(0)
    actions = random.integers(2, size=(80, 2))
    for row in actions[:40]:
        envs.step(row)
    others = Environments(kind, [3, 4])
    others.load_state_dict(envs.state_dict())
    for row in actions[40:]:
        a, b = envs.step(row), others.step(row)
        assert np.array_equal(a.observation, b.observation)
        assert np.array_equal(a.last, b.last)
    assert envs.finished == others.finished


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CartPol-v1", "Did you mean 'CartPole-v1'"),
        ("CartPole-v9", "no version that there is"),
        ("Blackjack-v1", "FlattenObservation"),
        ("LunarLander-v3", "cannot be made"),
    ],
)
def test_environments_that_cannot_be_used_are_told_of_in_one_sentence(name, words):
    with pytest.raises(UserError, match=words):
        kind_of(name)


def test_no_episode_that_judges_an_agent_is_one_that_it_learnt_from_or_was_chosen_by():
    source = source_of(kind_of("CartPole-v1"))
    chosen, test = (set(part.tensors["seed"].tolist()) for part in (source.train, source.test))
    learnt = {training_seed(seed, number) for seed in range(20) for number in range(64)}
    assert test == set(seeds_to_judge_by())
    assert not chosen & test
    assert not (chosen | test) & learnt
    assert len(learnt) > 1270
