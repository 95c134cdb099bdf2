"""The best that can be done where an environment says all that can happen: value iteration.

Sutton & Barto 2018, "Reinforcement Learning: An Introduction", section 4.4. Gymnasium's small environments of text have
a table `P` of (probability, next state, reward, terminated) for each state and action, from which

    V(s) ← max_a Σ p (r + γ V(s') (1 − terminated))                                             eq. 4.10

finds the values, and from these the best actions, without a step of play. γ is a little below 1, so that values stay
finite and the shorter of two ways is better.

Shapes: N observations, S states, A actions, K things that can happen.
"""

from collections.abc import Callable

import numpy as np

from torchworks.rl.environments.opening import Kind, make

_DISCOUNT, _CLOSE = 0.9999, 1e-6


def best_rule(kind: Kind) -> Callable[[np.ndarray], np.ndarray] | None:
    """From one-hot observations (N, S) to the best actions int64 (N,); None for environments without a table."""
    if not kind.symbols or kind.continuous:
        return None
    environment = make(kind.id)
    table = getattr(environment.unwrapped, "P", None)
    environment.close()
    if not isinstance(table, dict) or set(table) != set(range(kind.symbols)):
        return None
    best = best_actions(table, kind.symbols, kind.actions)
    return lambda seen: best[seen.argmax(1)]


def best_actions(table: dict, states: int, actions: int) -> np.ndarray:
    """int64 (S,)."""
    most = max(len(table[s][a]) for s in range(states) for a in range(actions))
    chance, reward, going = (np.zeros((states, actions, most)) for _ in range(3))
    following = np.zeros((states, actions, most), dtype=np.int64)
    for s in range(states):
        for a in range(actions):
            for k, (p, after, gained, terminated) in enumerate(table[s][a]):
                chance[s, a, k], following[s, a, k], reward[s, a, k], going[s, a, k] = p, after, gained, not terminated
    values = np.zeros(states)
    for _ in range(200_000):
        of_actions = (chance * (reward + _DISCOUNT * going * values[following])).sum(2)
        before, values = values, of_actions.max(1)
        if np.abs(values - before).max() < _CLOSE:
            break
    return of_actions.argmax(1)
