"""The best actions where a table says what can happen."""

import pytest

from torchworks.rl.environments.baselines import baselines
from torchworks.rl.environments.opening import kind_of
from torchworks.rl.environments.tables import best_actions, best_rule


def test_the_long_way_to_more_is_better_and_the_short_way_to_as_much():
    """Action 0 ends at once with 1. Action 1 goes on to a state where 0 ends with `gain` and 1 stays."""
    for gain, first in ((2.0, 1), (1.0, 0)):
        ends = {0: [(1.0, 0, 1.0, True)], 1: [(0.5, 1, 0.0, False), (0.5, 1, 0.0, False)]}
        table = {0: ends, 1: {0: [(1.0, 1, gain, True)], 1: [(1.0, 1, 0.0, False)]}}
        assert best_actions(table, 2, 2).tolist() == [first, 0]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("Taxi-v4", 7, 9), ("torchworks.rl.environments.limited:LimitedCliffWalking-v1", -13, -13)],
)
def test_it_plays_as_well_as_is_known_to_be_possible(name: str, low: float, high: float):
    found = baselines(kind_of(name), list(range(100, 120)))
    assert found["return_random"] < 0
    assert low <= found["return_best"] <= high


def test_environments_without_a_table_have_none():
    assert best_rule(kind_of("CartPole-v1")) is None
