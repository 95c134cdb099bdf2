"""Rules written by hand that play some environments well: what a learnt policy is measured by.

Those of the games are in games/.

Shapes: N observations, D numbers each.
"""

from collections.abc import Callable

import numpy as np

from torchworks.rl.environments.games import breakout_rules, four_opponents, four_rules, snake_rules


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


Rule = Callable[[np.ndarray], np.ndarray]
RULES: dict[str, Rule] = {
    "CartPole-v1": cart_pole,
    "Acrobot-v1": acrobot,
    "MountainCar-v0": mountain_car,
    "MountainCarContinuous-v0": mountain_car_continuous,
    "Pendulum-v1": pendulum,
    "Snake10-v0": snake_rules.to_food,
    "Breakout10-v0": breakout_rules.follow,
    "Breakout10Sticky-v0": breakout_rules.follow,
    "ConnectFour-v0": connect_four,
}
STRONG: dict[str, Rule] = {
    "Snake10-v0": snake_rules.round_trip,
    "Breakout10-v0": breakout_rules.aim,
    "Breakout10Sticky-v0": breakout_rules.aim,
}
"""Rules that plan, for environments where one that plans is much better than one that does not."""
