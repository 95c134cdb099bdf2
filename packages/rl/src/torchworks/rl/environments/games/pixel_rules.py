"""The rule for Breakout, by its pixels.

Shapes: N games.
"""

import numpy as np

from torchworks.rl.environments.frames import SIZE
from torchworks.rl.environments.games.breakout import AHEAD, BALL, BRICKS, PADDLE, SIDE, ahead
from torchworks.rl.environments.games.breakout_rules import follow

_MIDDLES = ((np.arange(SIDE) + 0.5) * SIZE / SIDE).astype(np.int64)


def follow_pixels(seen: np.ndarray) -> np.ndarray:
    """`follow` what the newest images show, int64 (N,). Float32 (N, 4, 84, 84)."""
    return follow(np.stack([cells(one) for one in seen]))


def cells(seen: np.ndarray) -> np.ndarray:
    """Float32 (4, 10, 10) of (4, 84, 84): the planes of breakout.py, as far as three images tell."""
    planes = np.zeros((4, SIDE, SIDE), np.float32)
    now, *earlier = (image[np.ix_(_MIDDLES, _MIDDLES)] for image in seen[:-4:-1])
    planes[BALL].flat[now.argmax()] = 1
    planes[PADDLE, SIDE - 1, now[SIDE - 1].argmax()] = 1
    planes[BRICKS, : SIDE - 1] = (now[: SIDE - 1] > 80) & (now[: SIDE - 1] < now.max())
    row, column = divmod(int(now.argmax()), SIDE)
    (old_row, old_column), (_, older_column) = (divmod(int(image.argmax()), SIDE) for image in earlier)
    down = 1 if row >= old_row else -1
    across = column - old_column or old_column - older_column  # it stays where it is while it hits a brick
    if row < SIDE - 1 and abs(across) == 1:
        planes[AHEAD][ahead((row, column), (down, across))[0]] = 1
    return planes
