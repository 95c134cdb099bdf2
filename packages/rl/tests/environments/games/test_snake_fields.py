"""What Snake says of free cells equals what a search cell by cell finds."""

import numpy as np
import pytest

from torchworks.rl.environments.games.snake_fields import CELLS, SIDE, fields


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
def test_ways_and_rooms_are_those_of_a_search_cell_by_cell(seed):
    body, food = wandering(seed, 5 + 2 * seed)
    way, room, exit_ = fields(body, food).astype(int)
    times = {cell: i for i, cell in enumerate(body, 1)}
    free = {cell for cell in range(CELLS) if times.get(cell, 0) <= 1}

    from_food, from_head = distances(food, free), distances(body[-1], free)
    nearest = from_head.get(food)
    for cell in range(CELLS):
        on_way = (
            nearest is not None and cell in free and from_head.get(cell, CELLS) + from_food.get(cell, CELLS) == nearest
        )
        expected = round(255 * 0.95 ** from_food[cell]) if on_way else 255 if cell == food else 0
        assert way[cell] == pytest.approx(expected, abs=1)

    for cell in range(CELLS):
        if cell not in free:
            assert (room[cell], exit_[cell]) == (0, 0)
            continue
        region = set(distances(cell, free))
        opens = min(
            (times[other] for each in region for other in beside(each) if times.get(other, 0) > 1), default=CELLS
        )
        assert room[cell] == 255 * min(len(region), len(body)) // len(body)
        assert exit_[cell] == 255 * min(len(region), opens) // opens


def test_food_behind_the_snake_has_no_way_but_is_seen():
    wall = [row * SIDE + 1 for row in range(SIDE)]  # cuts the left column off; its tail is in the uppermost row
    body = [*wall[::-1], 2, 12]
    assert np.flatnonzero(fields([9 * SIDE + 2, *body], 5 * SIDE)[0]).tolist() == [50]


def test_a_snake_that_fills_the_board_leaves_its_tail_alone_free():
    rows = [range(SIDE * r, SIDE * r + SIDE)[:: 1 if r % 2 == 0 else -1] for r in range(SIDE)]
    found = fields([cell for row in rows for cell in row], -1)
    assert np.flatnonzero(found.any(0)).tolist() == [0]
