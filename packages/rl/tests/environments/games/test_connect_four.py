"""Connect Four: rules beside a plain reading of them, opponents, the search, the environment."""

import gymnasium
import numpy as np
import pytest
import torch

from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.environments.games.four_film import draw_board, film
from torchworks.rl.environments.games.four_matches import match, openings
from torchworks.rl.environments.games.four_opponents import OPPONENTS, at_random, best_columns, negamax, opponent
from torchworks.rl.environments.games.four_search import search
from torchworks.rl.environments.state import restores
from torchworks.shared.config import UserError

NAME = "ConnectFour-v0"


def grid(stones: int) -> np.ndarray:
    """bool (6, 7), the highest row first."""
    return (stones >> rules.SHIFTS) & 1 == 1


def four_in(cells: np.ndarray) -> bool:
    """Whether any four cells in a row are all set, one by one."""
    rows, columns = cells.shape
    for row in range(rows):
        for column in range(columns):
            for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                line = [(row + i * down, column + i * right) for i in range(4)]
                inside = all(0 <= r < rows and 0 <= c < columns for r, c in line)
                if inside and all(cells[place] for place in line):
                    return True
    return False


def random_positions(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Open positions of random games, after 0 to 41 moves."""
    random = np.random.default_rng(seed)
    own, both = np.zeros(count, np.int64), np.zeros(count, np.int64)
    length = random.integers(42, size=count)
    for move in range(41):
        after = rules.drop(own, both, at_random(own, both, random))
        goes_on = (move < length) & (rules.won(after[0] ^ after[1]) == 0)
        own, both = np.where(goes_on, after[0], own), np.where(goes_on, after[1], both)
    return own, both


def test_four_in_a_row_are_found_where_a_plain_search_finds_them():
    cells = np.random.default_rng(0).random((600, 6, 7)) < np.linspace(0.2, 0.6, 600)[:, None, None]
    stones = (cells.astype(np.int64) << rules.SHIFTS).sum((1, 2))
    wanted = [four_in(each) for each in cells]
    assert 100 < sum(wanted) < 500
    assert (rules.won(stones) != 0).tolist() == wanted
    assert [rules.won(int(each)) != 0 for each in stones] == wanted


def test_the_cells_that_would_make_four_are_those_that_do():
    own, both = random_positions(40)
    for mine, all_stones, found in zip(own.tolist(), both.tolist(), rules.threats(own, both).tolist(), strict=True):
        for bit in rules.SHIFTS.ravel().tolist():
            if not all_stones >> bit & 1:
                assert bool(found >> bit & 1) == bool(rules.won(mine | 1 << bit))
        assert rules.threats(mine, all_stones) == found


def test_stones_fall_and_columns_fill():
    own = both = np.zeros(1, np.int64)
    for moved in range(6):
        assert rules.legal(both)[0].all()
        own, both = rules.drop(own, both, np.array([2]))
        assert grid(int(both[0]))[:, 2].tolist() == [False] * (5 - moved) + [True] * (moved + 1)
    assert rules.legal(both)[0].tolist() == [True, True, False, True, True, True, True]
    seen = rules.planes(own, both)
    assert seen.sum((2, 3)).tolist() == [[3, 3, 6]]
    assert [int(each[0]) for each in rules.from_planes(seen)] == [int(own[0]), int(both[0])]


def test_a_mirrored_position_is_seen_mirrored():
    own, both = random_positions(30)
    mirrored = rules.planes(rules.mirrored(own), rules.mirrored(both))
    assert np.array_equal(mirrored, rules.planes(own, both)[:, :, :, ::-1])


def test_what_is_certain_two_moves_ahead_is_what_looking_at_all_moves_finds():
    own, both = random_positions(120, seed=1)
    good, value = rules.chances(own, both)
    for i in range(len(own)):
        wins, safe = set(), set()
        for column in np.flatnonzero(rules.legal(both[i : i + 1])[0]).tolist():
            theirs, stones = rules.drop(int(own[i]), int(both[i]), column)
            if rules.won(theirs ^ stones):
                wins.add(column)
            elif not rules.threats(theirs, stones) & rules.playable(stones):
                safe.add(column)
        assert (value[i] == 1) == bool(wins)
        assert (value[i] == -1) == (not wins and not safe)
        if wins or safe:
            assert set(np.flatnonzero(good[i]).tolist()) == (wins or safe)


def test_pruning_changes_no_value():
    def plain(own: int, both: int, depth: int) -> int:
        free = rules.playable(both)
        if not free or depth == 0:
            return negamax(own, both, 0, -2000, 2000, {})
        if rules.threats(own, both) & free:
            return 1000 + depth
        cells = [free & int(column) for column in rules.COLUMN]
        return max(-plain(own ^ both, both | cell, depth - 1) for cell in cells if cell)

    own, both = random_positions(12, seed=2)
    for position in zip(own.tolist(), both.tolist(), strict=True):
        assert negamax(*position, 4, -2000, 2000, {}) == plain(*position, 4)


@pytest.mark.parametrize("name", OPPONENTS[1:])
def test_opponents_win_when_they_can_and_block_when_they_must(name):
    player, random = opponent(name.replace("100", "20")), np.random.default_rng(0)
    mine, theirs = 0b111, 0b11 << rules.HEIGHT * 3  # three upright; the other side has two in the middle
    position = np.array([mine]), np.array([mine | theirs])
    assert player(*position, random).tolist() == [0]
    assert player(position[0] ^ position[1], position[1], random).tolist() == [0]


def test_opponents_that_look_farther_win_more():
    games = range(40)
    assert match(opponent("one-ply"), at_random, games).share > 0.8
    assert match(opponent("minimax-2"), opponent("one-ply"), games).share > 0.7
    assert match(opponent("minimax-4"), opponent("one-ply"), games).share > 0.8
    assert match(opponent("mcts-40"), at_random, games).share > 0.8


def test_a_win_in_three_moves_is_found_by_alpha_beta_and_by_search():
    """Two in the middle of the lowest row with room at both ends: a third one wins."""
    own = 1 << rules.HEIGHT * 2 | 1 << rules.HEIGHT * 3
    both = own | 0b110 << rules.HEIGHT * 2
    assert set(best_columns(own, both, 4)) <= {1, 4}
    thought = np.full((1, 7), 1 / 7, np.float32)
    found = search(np.array([own]), np.array([both]), lambda own, both: (thought.repeat(len(own), 0), 0 * own), 60)
    assert int(found.shares[0].argmax()) in {1, 4}
    assert found.value[0] > 0.5


def test_both_players_begin_from_each_opening():
    own, both = openings(range(10))
    assert np.array_equal(own[::2], own[1::2])
    assert np.array_equal(both[::2], both[1::2])
    assert [int(each).bit_count() for each in both] == [2] * 10
    mirror = match(opponent("minimax-2"), opponent("minimax-2"), range(60))
    assert 0.2 < mirror.share < 0.8


@pytest.mark.parametrize("name", ["minimax-9", "minimax-", "mcts-0", "stockfish"])
def test_an_opponent_that_there_is_not_is_named(name):
    with pytest.raises(UserError, match=f"There is no opponent '{name}'"):
        opponent(name)


# ---- the environment -----------------------------------------------------------------------------------------


def test_its_state_is_plain_and_goes_on_exactly():
    assert restores(gymnasium.make(NAME), gymnasium.make(NAME))


def test_a_stone_in_a_full_column_loses():
    environment = gymnasium.make(NAME, opponent="one-ply")
    environment.reset(seed=3)
    for _ in range(7):
        _, reward, terminated, _, info = environment.step(5)
        if terminated:
            break
    assert (reward, terminated) == (-1, True)
    assert info.get("illegal") or environment.unwrapped.own


def test_rewards_are_for_whoever_wins_and_the_opponent_begins_in_half_of_the_games():
    began, rewards = 0, []
    for seed in range(40):
        environment = gymnasium.make(NAME, opponent="minimax-2")
        seen, terminated = environment.reset(seed=seed)[0], False
        began += int(seen[1].sum())
        while not terminated:
            own, both = rules.from_planes(seen[None])
            column = at_random(own, both, np.random.default_rng(seed))[0]
            seen, reward, terminated, _, info = environment.step(column)
            assert environment.observation_space.contains(seen)
            assert not info
        rewards.append(reward)
        assert four_in(seen[1] == 1) == (reward == -1)
    assert 10 < began < 30
    assert sum(rewards) < -20


def test_a_board_is_drawn_with_its_stones_where_they_are():
    first, second = 1 << int(rules.SHIFTS[5, 0]), 1 << int(rules.SHIFTS[4, 0])
    image = draw_board(first, second, "move 2", last=0).float()
    assert image.shape == (3, 308, 320)
    low, above, right = (image[:, y, x] for y, x in ((264, 26), (232, 34), (264, 76)))
    assert low[1] > 150 > low[2]  # yellow
    assert right.min() == 255
    assert not torch.equal(low, above)
    frames = film(opponent("one-ply"), opponent("one-ply"), 0)
    assert len(frames) > 7
    assert frames.dtype == torch.uint8
