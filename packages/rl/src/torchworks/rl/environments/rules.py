"""Rules written by hand that play some environments well: what a learnt policy is measured by.

Those of the games are in games/.

Shapes: N observations, D numbers each.
"""

from collections.abc import Callable

import numpy as np

from torchworks.rl.environments.games import breakout_rules, four_opponents, four_rules, pixel_rules, snake_rules
from torchworks.rl.environments.remembering import Remembering


def cart_pole(seen: np.ndarray) -> np.ndarray:
    """Push to where the pole falls: its angle and its speed, and a little of the cart's place and speed, so that it
    stays on the track."""
    place, speed, angle, turning = seen.T
    return (angle + 0.3 * turning + 0.01 * place + 0.03 * speed > 0).astype(np.int64)


def acrobot(seen: np.ndarray) -> np.ndarray:
    """Push the lower joint the way the upper link moves, which adds energy."""
    return np.where(seen[:, 4] > 0, 0, 2).astype(np.int64)


def mountain_car(seen: np.ndarray) -> np.ndarray:
    """Push the way the car moves."""
    return np.where(seen[:, 1] < 0, 0, 2).astype(np.int64)


def mountain_car_continuous(seen: np.ndarray) -> np.ndarray:
    """Push the way the car moves, with all force."""
    return np.where(seen[:, 1:] < 0, -1.0, 1.0).astype(np.float32)


def pendulum(seen: np.ndarray) -> np.ndarray:
    """Add energy while the pendulum hangs, and hold it by its angle and speed when it stands (Åström & Furuta 2000)."""
    cos, sin, speed = seen.T
    angle = np.arctan2(sin, cos)
    energy = speed**2 / 6 + 5 * (cos - 1)  # a rod of 1 m and 1 kg: 0 when it stands still upright
    swing = np.where(speed * energy > 0, -2.0, 2.0)
    hold = -10 * angle - 3 * speed
    near = (np.abs(angle) < 0.6) & (np.abs(speed) < 4)
    return np.clip(np.where(near, hold, swing), -2, 2)[:, None].astype(np.float32)


def connect_four(seen: np.ndarray) -> np.ndarray:
    """Win if it can be done, else stand in the way of a win, else take the free column nearest to the middle."""
    own, both = four_rules.from_planes(seen)
    cells = four_opponents.best_cells(own, both)
    near = -np.abs(np.arange(four_rules.COLUMNS) - four_rules.COLUMNS // 2)
    return np.where((cells[:, None] & four_rules.COLUMN) != 0, near, -four_rules.COLUMNS).argmax(1)


def hidden_cart_pole(seen: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rule for CartPole, with speeds from what was seen `before`, 0.02 s ago; NaN at first."""
    place, angle = seen.T
    speed, turning = np.nan_to_num((seen - before) / 0.02).T
    return cart_pole(np.stack([place, speed, angle, turning], 1)), seen


def hidden_pendulum(seen: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rule for Pendulum, with the speed from the angle that was seen `before`, 0.05 s ago; NaN at first."""
    turned = before[:, 0] * seen[:, 1] - before[:, 1] * seen[:, 0]  # the sine of the angle between the two
    speed = np.nan_to_num(np.arcsin(np.clip(turned, -1, 1)) / 0.05)
    return pendulum(np.stack([*seen.T, speed], 1)), seen


def corridor(seen: np.ndarray, cue: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep the cue that was shown, and go its way."""
    cue = np.where(seen[:, 0] == 0, cue, seen[:, 0])
    return (cue > 0).astype(np.int64), cue


_UNSEEN, _NO_CUE = np.full(2, np.nan, np.float32), np.zeros((), np.float32)

Rule = Callable[[np.ndarray], np.ndarray] | Remembering
RULES: dict[str, Rule] = {
    "CartPole-v1": cart_pole,
    "Acrobot-v1": acrobot,
    "MountainCar-v0": mountain_car,
    "MountainCarContinuous-v0": mountain_car_continuous,
    "Pendulum-v1": pendulum,
    "HiddenCartPole-v1": Remembering(hidden_cart_pole, [_UNSEEN]),
    "HiddenPendulum-v1": Remembering(hidden_pendulum, [_UNSEEN]),
    "Corridor-v0": Remembering(corridor, [_NO_CUE]),
    "LongCorridor-v0": Remembering(corridor, [_NO_CUE]),
    "Snake10-v0": snake_rules.to_food,
    "Snake10Ways-v0": snake_rules.to_food,
    "Breakout10-v0": breakout_rules.follow,
    "Breakout10Sticky-v0": breakout_rules.follow,
    "PixelBreakout10-v0": pixel_rules.follow_pixels,
    "ConnectFour-v0": connect_four,
}
STRONG: dict[str, Rule] = {
    "Snake10-v0": snake_rules.round_trip,
    "Breakout10-v0": breakout_rules.aim,
    "Breakout10Sticky-v0": breakout_rules.aim,
}
"""Rules that plan, for environments where one that plans is much better than one that does not."""
