"""What follows from the rules of Snake for each free cell of a board: how far the food is, how much room there is, and
when a way out opens.

Free cells that touch each other are a *region*. A snake that goes into one leaves it by a cell of its own body, once
that has moved on; if that takes more steps than the region has cells, it is lost.

A set of cells is a whole number with a bit for each cell, so that a step in all directions is four shifts.
"""

import numpy as np

SIDE = 10
CELLS = SIDE * SIDE
NEARER = 0.95
"""How much a cell counts beside one that is a step nearer to the food."""

_WIDE = SIDE + 1  # a column and a row at each end that are never free, so that no shift goes round the edge
_BYTES = (_WIDE * (SIDE + 2) + 7) // 8
_PLACES = (_WIDE * np.arange(1, SIDE + 1)[:, None] + np.arange(SIDE)).ravel()
BITS = [1 << int(place) for place in _PLACES]
"""Of the cells, row by row."""
_BOARD = sum(BITS)
_CLOSENESS = np.rint(255 * NEARER ** np.arange(CELLS)).clip(1, 254).astype(np.uint8)
_CLOSENESS[0] = 255


def fields(body: list[int], food: int) -> np.ndarray:
    """uint8 (3, 100) of a snake in the cells `body`, the tail first, and food in the cell `food`, or -1 if there is
    none. Of each cell that is free after the next step,

    - if it lies on a shortest way from the head to the food along free cells, 255 · 0.95^d, d steps before the food;
      the food has 255 in any case
    - how many cells its region has, of as many as the snake, in parts of 255
    - the same of as many as there are steps until the snake has left a cell beside it

    and 0 of others.
    """
    taken = 0
    for cell in body[1:]:
        taken |= BITS[cell]
    free, head = _BOARD & ~taken, BITS[body[-1]]
    way = _way(head, BITS[food], free) if food >= 0 else []
    regions, left = [], free
    while left:
        region = left & -left
        while region != (region := (region | _around(region)) & free):
            pass
        regions.append(region)
        left &= ~region
    sets = way + regions
    held = np.frombuffer(b"".join([each.to_bytes(_BYTES, "little") for each in sets]), np.uint8)
    cells = np.unpackbits(held.reshape(-1, _BYTES), axis=1, bitorder="little")[:, _PLACES]
    sizes = [region.bit_count() for region in regions]
    steps = [_opens(body, _around(region) & taken) for region in regions]
    worth = np.zeros((3, len(sets)), np.uint8)
    worth[0, : len(way)] = _CLOSENESS[: len(way)]
    worth[1, len(way) :] = [255 * min(size, len(body)) // len(body) for size in sizes]
    worth[2, len(way) :] = [255 * min(size, each) // each for size, each in zip(sizes, steps, strict=True)]
    return worth @ cells


def _way(head: int, food: int, free: int) -> list[int]:
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


def _around(cells: int) -> int:
    """The cells beside `cells`, and perhaps some of them."""
    return cells << 1 | cells >> 1 | cells << _WIDE | cells >> _WIDE


def _opens(body: list[int], border: int) -> int:
    """After how many steps the first cell of the snake in `border` is free; a hundred if there is none."""
    return next((i for i, cell in enumerate(body[1:], 2) if BITS[cell] & border), CELLS)
