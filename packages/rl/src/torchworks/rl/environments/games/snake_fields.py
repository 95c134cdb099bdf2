"""What follows from the rules of Snake: the shortest ways to the food, and how much room is left after a move.

Free cells that touch each other are a *region*. A snake in a region leaves it by a cell of its own body, once that has
moved on; if that takes more steps than the region has cells, the snake is lost. So it has the *slack* of a region: its
cells, less the steps until the first cell of the snake beside it is free.

A set of cells is a whole number with a bit for each cell, so that a step in all directions is four shifts.
"""

from collections.abc import Iterator

import numpy as np

SIDE = 10
CELLS = SIDE * SIDE
NEARER = 0.95
"""How much a cell counts beside one that is a step nearer to the food."""

_WIDE = SIDE + 1  # a column and a row at each end that are never free, so that no shift goes round the edge
_BYTES = (_WIDE * (SIDE + 2) + 7) // 8
_PLACES = (_WIDE * np.arange(1, SIDE + 1)[:, None] + np.arange(SIDE)).ravel()
_BITS = [1 << int(place) for place in _PLACES]
"""Of the cells, row by row."""
_BOARD = sum(_BITS)
_CLOSENESS = np.rint(255 * NEARER ** np.arange(CELLS)).clip(1, 254).astype(np.uint8)
_CLOSENESS[0] = 255


def ways(body: list[int], food: int) -> np.ndarray:
    """uint8 (100,) of a snake in the cells `body`, the tail first: 255 · 0.95^d of the cells on shortest ways from the
    head to `food` along cells that are free after the next step, d steps before the food, 0 of others. The food has 255
    in any case; without food (-1) all is 0."""
    found = np.zeros(CELLS, np.uint8)
    if food >= 0:
        layers = _layers(_BITS[body[-1]], _BITS[food], _BOARD & ~_taken(body))
        held = np.frombuffer(b"".join([each.to_bytes(_BYTES, "little") for each in layers]), np.uint8)
        cells = np.unpackbits(held.reshape(-1, _BYTES), axis=1, bitorder="little")[:, _PLACES]
        found += _CLOSENESS[: len(layers)] @ cells
    return found


def rooms(body: list[int], food: int, moves: list[int]) -> tuple[list[int], list[int]]:
    """Of a snake in the cells `body`, the tail first, that has moved to each of the cells `moves`, which are free after
    the next step: how many cells the region beside its head has, and its slack. Of several regions it is that with most
    slack; without any, 0 and -100."""
    taken, sizes, slacks = _taken(body), [], []
    for cell in moves:
        moved = [*body, cell] if cell == food else [*body[1:], cell]
        now = taken | _BITS[cell] if cell == food else taken & ~_BITS[body[1]] | _BITS[cell]
        best = max(_slacks(moved, _BITS[cell], now), default=(-CELLS, 0))
        slacks.append(best[0])
        sizes.append(best[1])
    return sizes, slacks


def _slacks(body: list[int], head: int, taken: int) -> Iterator[tuple[int, int]]:
    """Slack and size of each region that the head is beside."""
    free = _BOARD & ~taken
    left = _around(head) & free
    while left:
        region = left & -left
        while region != (region := (region | _around(region)) & free):
            pass
        left &= ~region
        border, size = _around(region) & taken, region.bit_count()
        yield size - next(i for i, cell in enumerate(body[1:], 2) if _BITS[cell] & border), size


def _layers(head: int, food: int, free: int) -> list[int]:
    """The cells on shortest ways from `head` to `food`: those at the food, one step before it and so on."""
    waves, beside = [food], _around(head) & free
    while not waves[-1] & beside:
        more = (waves[-1] | _around(waves[-1])) & free
        if more == waves[-1]:
            return [food]
        waves.append(more)
    layers = [beside]
    for wave in reversed(waves):
        layers[-1] &= wave
        layers.append(_around(layers[-1]))
    return layers[-2::-1]


def _taken(body: list[int]) -> int:
    """What is not free after the next step: all but the tail."""
    found = 0
    for cell in body[1:]:
        found |= _BITS[cell]
    return found


def _around(cells: int) -> int:
    """The cells beside `cells`, and perhaps some of them."""
    return cells << 1 | cells >> 1 | cells << _WIDE | cells >> _WIDE
