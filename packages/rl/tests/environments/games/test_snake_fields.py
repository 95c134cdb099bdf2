"""What Snake says of free cells equals what a search cell by cell finds."""

import numpy as np
import pytest

from torchworks.rl.environments.games.snake_fields import CELLS, SIDE, rooms, ways


def beside(cell: int) -> list[int]:
    row, column = divmod(cell, SIDE)
    places = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return [r * SIDE + c for r, c in places if 0 <= r < SIDE and 0 <= c < SIDE]


def distances(start: int, free: set[int]) -> dict[int, int]:
    """Steps to all cells that free ones lead to from `start`."""
    found, wave = {start: 0}, [start]
    for cell in wave:
        for other in beside(cell):
            if other in free and other not in found:
                found[other] = found[cell] + 1
                wave.append(other)
    return found


def wandering(seed: int, length: int) -> tuple[list[int], int]:
    """A snake that has wandered about, the tail first, as long as it could become, and food in a free cell."""
    random = np.random.default_rng(seed)
    body = [int(random.integers(CELLS))]
    while len(body) < length and (free := [cell for cell in beside(body[-1]) if cell not in body]):
        body.append(int(random.choice(free)))
    return body, int(random.choice([cell for cell in range(CELLS) if cell not in body]))


@pytest.mark.parametrize("seed", range(0, 45, 4))
def test_ways_are_those_of_a_search_cell_by_cell(seed):
    body, food = wandering(seed, 5 + 2 * seed)
    free = set(range(CELLS)) - set(body[1:])
    from_food, from_head = distances(food, free), distances(body[-1], free)
    found = ways(body, food).astype(int)
    for cell in range(CELLS):
        steps = from_head.get(cell, CELLS) + from_food.get(cell, CELLS)
        on_way = cell in free and steps == from_head.get(food)
        expected = 255 * 0.95 ** from_food[cell] if on_way else 255 if cell == food else 0
        assert found[cell] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("seed", range(0, 45, 4))
def test_rooms_are_those_of_a_search_cell_by_cell_after_each_move(seed):
    body, food = wandering(seed, 5 + 2 * seed)
    moves = [cell for cell in beside(body[-1]) if cell not in body[1:]]
    for move, *found in zip(moves, *rooms(body, food, moves), strict=True):
        moved = [*body, move] if move == food else [*body[1:], move]
        times = {cell: i for i, cell in enumerate(moved, 1)}
        free = {cell for cell in range(CELLS) if times.get(cell, 0) <= 1}
        best = (-CELLS, 0)
        for start in free & set(beside(move)):
            region = set(distances(start, free))
            opens = min(times[cell] for each in region for cell in beside(each) if times.get(cell, 0) > 1)
            best = max(best, (len(region) - opens, len(region)))
        assert found == [best[1], best[0]]


def test_food_behind_the_snake_has_no_way_but_is_seen():
    wall = [row * SIDE + 1 for row in range(SIDE)]  # cuts the left column off
    assert np.flatnonzero(ways([9 * SIDE + 2, *wall[::-1], 2, 12], 5 * SIDE)).tolist() == [50]


def test_a_snake_that_fills_the_board_has_neither_ways_nor_room_but_its_tail():
    rows = [range(SIDE * r, SIDE * r + SIDE)[:: 1 if r % 2 == 0 else -1] for r in range(SIDE)]
    full = [cell for row in rows for cell in row]
    assert not ways(full, -1).any()
    assert rooms(full, -1, []) == ([], [])
