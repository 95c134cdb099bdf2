"""Rules for Breakout written by hand: be where the ball comes down, and choose how it goes up again.

Shapes: N games.
"""

import numpy as np

from torchworks.rl.environments.games.breakout import AHEAD, BALL, BRICKS, LEFT, PADDLE, RIGHT, SIDE, STAY, Cell, move

_NOWHERE = -SIDE


def follow(seen: np.ndarray) -> np.ndarray:
    """Towards the column straight below which the ball comes down next, int64 (N,). Float32 (N, 4, 10, 10)."""
    return np.array([_towards(_paddle(one), _landing(*_state(one))[0][1]) for one in seen])


def aim(seen: np.ndarray) -> np.ndarray:
    """The same, but of the two columns in which the ball can be met, the one from which it hits more bricks before it
    has come down twice more."""
    return np.array([_towards(_paddle(one), _best(*_state(one), _paddle(one))) for one in seen])


State = tuple[Cell, Cell, np.ndarray]


def _state(seen: np.ndarray) -> State:
    """Ball, speed and bricks."""
    ball = _cell(seen[BALL])
    ahead = _cell(seen[AHEAD]) if seen[AHEAD].any() else (ball[0] - 1, ball[1])
    return ball, (ahead[0] - ball[0], ahead[1] - ball[1]), seen[BRICKS].copy()


def _paddle(seen: np.ndarray) -> int:
    return int(seen[PADDLE, SIDE - 1].argmax())


def _cell(plane: np.ndarray) -> Cell:
    row, column = divmod(int(plane.argmax()), SIDE)
    return row, column


def _towards(paddle: int, column: int) -> int:
    return STAY if paddle == column else LEFT if column < paddle else RIGHT


def _landing(ball: Cell, speed: Cell, bricks: np.ndarray) -> tuple[Cell, Cell, int, int]:
    """Where the ball is, and its speed, before the step in which it must be met; how many steps until then, and how
    many bricks it has hit, which are taken away."""
    steps = hits = 0
    while True:
        following, faster, hit, lost = move(ball, speed, bricks, _NOWHERE)
        if lost:
            return ball, speed, steps, hits
        ball, speed, steps = following, faster, steps + 1
        if hit is not None:
            bricks[hit], hits = 0, hits + 1


def _best(ball: Cell, speed: Cell, bricks: np.ndarray, paddle: int, deep: int = 2) -> int:
    """The column in which to meet the ball."""
    ball, speed, steps, _ = _landing(ball, speed, bricks)
    straight, back = ball[1], ball[1] + (speed[1] if 0 <= ball[1] + speed[1] < SIDE else -speed[1])
    near = [column for column in (straight, back) if abs(column - paddle) <= steps + 1] or [straight]
    return max(near, key=lambda column: _worth(ball, speed, bricks.copy(), column, deep))


def _worth(ball: Cell, speed: Cell, bricks: np.ndarray, paddle: int, deep: int) -> float:
    """Bricks that are hit after the ball is met in the column `paddle`, the sooner, the more each counts."""
    ball, speed, _, _ = move(ball, speed, bricks, paddle)
    ball, speed, steps, hits = _landing(ball, speed, bricks)
    later = 0.0
    if deep > 1:
        columns = (ball[1], ball[1] + (speed[1] if 0 <= ball[1] + speed[1] < SIDE else -speed[1]))
        later = max(_worth(ball, speed, bricks.copy(), column, deep - 1) for column in columns)
    return hits + 0.9 * later - 1e-3 * steps
