"""Rules of Connect Four on bits: one position as two whole numbers of Python, or many as two arrays int64 (N,).

A cell is a bit, column by column from the lowest cell up, with a bit above each column that stays 0:

     6 13 20 27 34 41 48
     5 12 19 26 33 40 47     highest row
     …
     0  7 14 21 28 35 42     lowest row

A position is `own`, the stones of the side that moves, and `both`, all stones. Cells one above, beside or aslant are 1,
7 and 6 or 8 bits apart, so four in a row are found by shifts (J. Tromp's Fhourstones). Every function without a shape
in its docstring takes and returns numbers and arrays alike.
"""

from typing import Any

import numpy as np

ROWS, COLUMNS = 6, 7
HEIGHT = ROWS + 1
BOTTOM = sum(1 << HEIGHT * column for column in range(COLUMNS))
BOARD = BOTTOM * ((1 << ROWS) - 1)
COLUMN = np.array([((1 << ROWS) - 1) << HEIGHT * column for column in range(COLUMNS)], dtype=np.int64)
SHIFTS = np.array([[HEIGHT * column + ROWS - 1 - row for column in range(COLUMNS)] for row in range(ROWS)])
"""(ROWS, COLUMNS), the highest row first: which bit each cell is."""
_DIRECTIONS = (1, HEIGHT - 1, HEIGHT, HEIGHT + 1)


def playable(both: Any) -> Any:
    """The cells into which a stone would fall, at most one in each column."""
    return (both + BOTTOM) & BOARD


def legal(both: np.ndarray) -> np.ndarray:
    """bool (N, COLUMNS): which columns are not full, for (N,)."""
    return (playable(both)[:, None] & COLUMN) != 0


def drop(own: Any, both: Any, column: Any) -> tuple[Any, Any]:
    """The position after a stone in `column`, which must not be full, seen from the other side."""
    return own ^ both, both | (both + (1 << HEIGHT * column))


def won(stones: Any) -> Any:
    """Whether there are four in a row: not 0."""
    found = stones ^ stones
    for step in _DIRECTIONS:
        pairs = stones & (stones >> step)
        found = found | (pairs & (pairs >> 2 * step))
    return found


def threats(stones: Any, both: Any) -> Any:
    """The empty cells that would make four in a row of `stones`, whether a stone can fall there yet or not."""
    found = (stones << 1) & (stones << 2) & (stones << 3)
    for step in _DIRECTIONS[1:]:
        up, down = (stones << step) & (stones << 2 * step), (stones >> step) & (stones >> 2 * step)
        found = found | (up & ((stones << 3 * step) | (stones >> step)))
        found = found | (down & ((stones >> 3 * step) | (stones << step)))
    return found & BOARD & ~both


def full(both: Any) -> Any:
    """Whether no column is left."""
    return both == BOARD


def planes(own: np.ndarray, both: np.ndarray) -> np.ndarray:
    """What a player sees of positions (N,): float32 (N, 3, ROWS, COLUMNS), 1 for its own stones, for the other side's,
    and for cells into which a stone would fall; the highest row first."""
    bits = np.stack([own, own ^ both, playable(both)], axis=1)
    return ((bits[:, :, None, None] >> SHIFTS) & 1).astype(np.float32)


def from_planes(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positions (N,) twice, `own` and `both`, that (N, 3, ROWS, COLUMNS) shows."""
    bits = (seen[:, :2] > 0.5).astype(np.int64) << SHIFTS
    own, other = bits.sum((2, 3)).T
    return own, own | other


def mirrored(bits: np.ndarray) -> np.ndarray:
    """Stones (N,) with left and right exchanged."""
    low = (1 << HEIGHT) - 1
    return sum(((bits >> HEIGHT * c) & low) << HEIGHT * (COLUMNS - 1 - c) for c in range(COLUMNS))


def chances(own: np.ndarray, both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is certain of open positions (N,) two moves ahead: bool (N, COLUMNS), the columns that do not lose at once
    (all that win, if one wins), and float32 (N,), 1 if the side that moves wins at once, −1 if every column loses, NaN
    if neither is so.

    A column loses if the other side has four in a row after it, in another column or on top of the stone.
    """
    free, theirs = playable(both), threats(own ^ both, both)
    wins = threats(own, both) & free
    must = theirs & free
    several = (must & (must - 1)) != 0
    good = np.where(must != 0, must, free) & ~(theirs >> 1)
    value = np.where(wins != 0, 1.0, np.where(several | (good == 0), -1.0, np.nan)).astype(np.float32)
    cells = np.where(wins != 0, wins, np.where(np.isnan(value), good, np.where(must != 0, must, free)))
    return (cells[:, None] & COLUMN) != 0, value
