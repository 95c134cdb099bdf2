"""The rules of Snake: what is seen, eating, growing, the two ways in which an episode ends."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from torchworks.rl.environments.games.snake import (
    BLOCKED,
    CELLS,
    EXIT,
    FOOD,
    LEFT,
    PATIENCE,
    RIGHT,
    ROOM,
    SIDE,
    STRAIGHT,
    TIME,
    VIEW,
    WAY,
    Snake,
)
from torchworks.rl.environments.games.snake_rules import round_trip
from torchworks.rl.environments.state import restores

HEAD = SIDE - 1


def placed(body: list[tuple[int, int]], heading: int, food: tuple[int, int], *, ways: bool = False) -> Snake:
    """A game whose snake lies in these cells of the board, the tail first."""
    game = Snake(ways)
    game.reset(seed=0)
    wide = SIDE + 2 * HEAD
    game.body = [(row + HEAD) * wide + column + HEAD for row, column in body]
    game.heading, game.food = heading, (food[0] + HEAD) * wide + food[1] + HEAD
    return game


def test_it_is_an_environment_of_gymnasium_that_goes_on_exactly():
    check_env(Snake(ways=True), skip_render_check=True)
    for name in ("Snake10-v0", "Snake10Ways-v0"):
        assert restores(gymnasium.make(name), gymnasium.make(name), steps=200)


def test_seeds_decide_where_it_starts_and_where_food_is():
    starts = [Snake().reset(seed=seed)[0] for seed in (1, 1, 2)]
    assert np.array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])


def test_a_snake_goes_where_it_is_steered():
    game = placed([(5, 3), (5, 4), (5, 5)], 1, (0, 0))
    game.step(STRAIGHT)
    assert np.argwhere(game.shown()[0] == 3).tolist() == [[5, 6]]
    game.step(LEFT)
    assert np.argwhere(game.shown()[0] == 3).tolist() == [[4, 6]]
    game.step(RIGHT)
    assert np.argwhere(game.shown()[0] == 3).tolist() == [[4, 7]]
    assert np.argwhere(game.shown()[0] == 1).tolist() == [[5, 6]]


def test_food_makes_it_longer_and_appears_in_a_free_cell():
    for seed in range(20):
        game = placed([(5, 3), (5, 4), (5, 5)], 1, (5, 6))
        game.np_random = np.random.default_rng(seed)
        _, reward, terminated, truncated, _ = game.step(STRAIGHT)
        assert (reward, terminated, truncated) == (1, False, False)
        snake, food = game.shown()
        assert snake.max() == 4
        assert snake[5, 3] == 1
        assert food.sum() == 1
        assert not (snake * food).any()


@pytest.mark.parametrize(
    ("body", "heading", "action"),
    [
        ([(5, 7), (5, 8), (5, 9)], 1, STRAIGHT),
        ([(2, 0), (1, 0), (0, 0)], 0, LEFT),
        ([(6, 4), (5, 4), (5, 5), (5, 6), (6, 6), (6, 5)], 3, RIGHT),
    ],
    ids=["wall ahead", "wall beside", "itself"],
)
def test_walls_and_itself_end_the_episode(body, heading, action):
    game = placed(body, heading, (9, 5))
    _, reward, terminated, truncated, _ = game.step(action)
    assert (reward, terminated, truncated) == (0, True, False)


def test_it_may_follow_its_tail():
    game = placed([(5, 4), (4, 4), (4, 5), (5, 5)], 2, (9, 9))
    assert game._seen()[BLOCKED, HEAD, HEAD + 1] == 0
    assert game.step(RIGHT)[2] is False


def test_hunger_cuts_an_episode_off():
    game = placed([(5, 4), (4, 4), (4, 5), (5, 5)], 2, (9, 9))
    ends = [game.step(RIGHT)[2:4] for _ in range(PATIENCE)]
    assert set(ends[:-1]) == {(False, False)}
    assert ends[-1] == (False, True)


def test_it_sees_from_its_head_which_looks_up():
    game = placed([(5, 3), (5, 4), (5, 5)], 1, (7, 6))  # looks right, so that the board's right is up
    seen = game._seen()
    assert seen.shape == (3, VIEW, VIEW)
    assert np.argwhere(seen[FOOD]).tolist() == [[HEAD - 1, HEAD + 2]]  # one ahead, two to the right
    times = {tuple(cell): int(seen[TIME][tuple(cell)]) for cell in np.argwhere((seen[TIME] > 0) & (seen[TIME] < 255))}
    assert times == {(HEAD + i, HEAD): (3 - i) * 255 // CELLS for i in range(3)}
    inside = seen[TIME] < 255
    assert inside.sum() == CELLS
    assert inside[HEAD - 4, HEAD]
    assert not inside[HEAD - 5, HEAD]
    assert seen[BLOCKED, HEAD + 1, HEAD] == 255
    assert seen[BLOCKED, HEAD + 2, HEAD] == 0  # the tail, which moves on


def test_it_sees_which_move_shuts_it_in():
    body = [(row, 2) for row in range(SIDE)] + [(row, 1) for row in range(SIDE)[::-1]]
    seen = placed(body, 0, (9, 9), ways=True)._seen()
    # to the left are nine cells, and the tenth step is free; to the right is the tail, and the rest of the board
    assert seen[EXIT, HEAD, [HEAD - 1, HEAD + 1]].tolist() == [128 - 4, 255]
    assert seen[ROOM, HEAD, [HEAD - 1, HEAD + 1]].tolist() == [9 * 255 // CELLS, 71 * 255 // CELLS]


def test_it_sees_ways_to_food_and_how_much_room_there_is():
    game = placed([(5, 3), (5, 4), (5, 5)], 1, (7, 6), ways=True)
    seen = game._seen()
    ahead, right = [(HEAD - 1, HEAD), (HEAD - 1, HEAD + 1)], [(HEAD, HEAD + 1), (HEAD, HEAD + 2)]
    ways = {(int(row), int(column)) for row, column in np.argwhere(seen[WAY])}
    assert ways == {*ahead, *right, (HEAD - 1, HEAD + 2)}
    moves = [[HEAD - 1, HEAD], [HEAD, HEAD - 1], [HEAD, HEAD + 1]]
    assert np.argwhere(seen[ROOM]).tolist() == np.argwhere(seen[EXIT]).tolist() == moves
    assert set(seen[ROOM][seen[ROOM] > 0]) == {(CELLS - 2) * 255 // CELLS}  # all but the head and the cell behind it
    game.ways = False
    assert np.array_equal(game._seen(), seen[: FOOD + 1])


@pytest.mark.parametrize("heading", range(4))
def test_it_sees_the_same_whichever_way_the_board_is_turned(heading):
    """A snake in the middle of a turned board."""
    upright = placed([(6, 4), (5, 4), (4, 4)], 0, (2, 5))._seen()

    def turned(cell: tuple[int, int]) -> tuple[int, int]:
        for _ in range(heading):
            cell = (cell[1], SIDE - 1 - cell[0])
        return cell

    body = [turned(cell) for cell in [(6, 4), (5, 4), (4, 4)]]
    assert np.array_equal(placed(body, heading, turned((2, 5)))._seen(), upright)


def played(rule, seed: int) -> tuple[float, bool]:
    """The rewards of an episode, and whether it was terminated."""
    game, total = Snake(), 0.0
    seen, _ = game.reset(seed=seed)
    while True:
        seen, reward, terminated, truncated, _ = game.step(int(rule(seen[None].astype(np.float32))[0]))
        total += reward
        if terminated or truncated:
            return total, terminated


def test_a_round_trip_fills_the_board_and_a_full_board_ends_the_episode():
    assert [played(round_trip, seed) for seed in range(2)] == [(CELLS - 3, True)] * 2
