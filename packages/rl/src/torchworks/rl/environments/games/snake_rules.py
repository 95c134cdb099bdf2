"""Rules for Snake written by hand: the nearest way to the food if there is room, and a round trip that never fails.

Shapes: N games, P planes, views of V x V cells around the head, which looks up.
"""

import numpy as np

from torchworks.rl.environments.games.snake import BLOCKED, CELLS, FOOD, LEFT, RIGHT, SIDE, STRAIGHT, TIME

_HEAD = SIDE - 1
_NEXT = ((_HEAD, _HEAD - 1), (_HEAD - 1, _HEAD), (_HEAD, _HEAD + 1))
"""The cells that `LEFT`, `STRAIGHT` and `RIGHT` lead to, in a view."""
_FAR = 10_000


def to_food(seen: np.ndarray) -> np.ndarray:
    """Of the cells that the head can go to and from which as many cells can be reached as the snake has, that nearest
    to the food, int64 (N,); if there is none, that with the most room. Float32 (N, P, V, V)."""
    blocked = seen[:, BLOCKED] > 0
    lengths = np.rint(seen[:, TIME, _HEAD, _HEAD] * CELLS / 255)
    food = np.array([np.argwhere(each)[0] if each.any() else (_HEAD, _HEAD) for each in seen[:, FOOD] > 0])
    worth = np.empty((len(seen), 3))
    for action, (row, column) in enumerate(_NEXT):
        room = _room(blocked, row, column)
        away = np.abs(food - (row, column)).sum(1)
        worth[:, action] = np.where(room >= np.minimum(lengths, CELLS - lengths), _FAR - away, room)
    return worth.argmax(1)


def _room(blocked: np.ndarray, row: int, column: int) -> np.ndarray:
    """How many free cells can be reached from a cell of each view (N, V, V), itself among them; 0 if it is blocked."""
    reached = np.zeros_like(blocked)
    reached[:, row, column] = ~blocked[:, row, column]
    count = reached.sum((1, 2))
    while True:
        reached[:, 1:] |= reached[:, :-1]
        reached[:, :-1] |= reached[:, 1:]
        reached[:, :, 1:] |= reached[:, :, :-1]
        reached[:, :, :-1] |= reached[:, :, 1:]
        reached &= ~blocked
        more = reached.sum((1, 2))
        if (more == count).all():
            return more
        count = more


def round_trip(seen: np.ndarray) -> np.ndarray:
    """Along a way that leads through all cells and back, int64 (N,), so that the snake follows its tail and fills the
    board. Float32 (N, P, V, V).

    Each quarter of the board is gone through row by row, and the quarters are turned by 90 degrees against each other,
    so that the way looks alike from wherever the board is seen: a view does not tell where north is.
    """
    walls, wanted = seen[:, TIME] >= 255, np.empty(len(seen), np.int64)
    for i, wall in enumerate(walls):
        row, column = _HEAD - wall[:, _HEAD].argmin(), _HEAD - wall[_HEAD].argmin()
        wanted[i] = _along(int(row), int(column))
    turn = (wanted + STRAIGHT) % 4  # 3: back, which cannot be done
    free = seen[:, BLOCKED][:, [place[0] for place in _NEXT], [place[1] for place in _NEXT]] == 0
    turn = np.where(turn == 3, np.where(free[:, LEFT], LEFT, RIGHT), turn)
    return np.where(free[np.arange(len(seen)), turn], turn, free.argmax(1))


def _along(row: int, column: int) -> int:
    """Where the way goes from a cell: 0 up, 1 right, 2 down, 3 left."""
    half = SIDE // 2
    if row >= half or column >= half:  # seen from one of the other three quarters
        return (_along(SIDE - 1 - column, row) + 1) % 4
    if row % 2 == 0:
        return 1 if column < half - 1 or row == 0 else 0
    return 3 if column > 0 else 0
