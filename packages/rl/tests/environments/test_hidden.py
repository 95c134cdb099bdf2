"""Environments in which one observation does not say enough, and rules with a memory."""

import gymnasium
import numpy as np
import pytest

from torchworks.rl.environments.baselines import baselines
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.playing import film, play
from torchworks.rl.environments.remembering import Remembering
from torchworks.rl.environments.state import restores

HIDDEN = ["HiddenCartPole-v1", "HiddenPendulum-v1", "Corridor-v0", "LongCorridor-v0", "StackedHiddenCartPole-v1"]


@pytest.mark.parametrize("name", HIDDEN)
def test_they_go_on_exactly_from_their_state(name):
    assert restores(gymnasium.make(name), gymnasium.make(name))


def test_speeds_are_hidden_and_the_rest_is_as_it_was():
    hidden, whole = gymnasium.make("HiddenCartPole-v1"), gymnasium.make("CartPole-v1")
    a, b = hidden.reset(seed=3)[0], whole.reset(seed=3)[0]
    for action in (0, 1, 1, 0):
        assert a.tolist() == [b[0], b[2]]
        a, b = hidden.step(action)[0], whole.step(action)[0]


def test_stacked_ones_show_the_last_four_observations_and_forget_them_at_a_reset():
    stacked, plain = gymnasium.make("StackedHiddenCartPole-v1"), gymnasium.make("HiddenCartPole-v1")
    seen = [plain.reset(seed=5)[0], *(plain.step(1)[0] for _ in range(4))]
    first = stacked.reset(seed=5)[0]
    assert first.tolist() == [0, 0, 0, 0, 0, 0, *seen[0]]
    for _ in range(4):
        last = stacked.step(1)[0]
    assert last.tolist() == np.concatenate(seen[1:]).tolist()
    assert stacked.reset(seed=5)[0].tolist() == first.tolist()


def test_what_is_done_in_a_corridor_leaves_no_trace_before_the_fork():
    one, other = gymnasium.make("Corridor-v0"), gymnasium.make("Corridor-v0")
    one.reset(seed=1)
    other.reset(seed=1)
    one.unwrapped.cue, other.unwrapped.cue = 1, -1
    ended, steps = False, 0
    while not ended:
        a, b = one.step(steps % 2), other.step(1)
        assert a[0].tolist() == b[0].tolist()
        ended, steps = a[2], steps + 1
        assert ended == b[2]
    assert 6 <= steps <= 11
    assert (a[1], b[1]) == ((steps - 1) % 2, 0)


def test_who_keeps_no_memory_is_right_in_half_of_the_corridors_and_the_rule_in_all():
    kind, seeds = kind_of("Corridor-v0"), list(range(200))
    always = [each.total for each in play(kind, seeds, lambda seen: np.ones(len(seen), np.int64))]
    never = [each.total for each in play(kind, seeds, lambda seen: np.zeros(len(seen), np.int64))]
    assert [a + b for a, b in zip(always, never, strict=True)] == [1] * 200
    assert baselines(kind, seeds)["return_rule"] == 1


def test_each_episode_has_a_memory_of_its_own():
    """Episodes of different lengths, each with an action that counts its steps."""

    def count(seen: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        told.append(steps.tolist())
        return np.ones(len(seen), np.int64), steps + 1

    told: list[list[int]] = []
    rule = Remembering(count, [np.zeros((), np.int64)])
    played = play(kind_of("Corridor-v0"), list(range(8)), rule)
    assert len({each.steps for each in played}) > 1
    assert told == [[t] * sum(each.steps > t for each in played) for t in range(max(each.steps for each in played))]
    told.clear()
    film(kind_of("Corridor-v0"), 0, rule)
    assert told == [[t] for t in range(played[0].steps)]
