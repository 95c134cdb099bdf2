"""What a policy is compared with: actions drawn at random, a rule written by hand where there is one, and the best
actions where a table tells what can happen."""

import numpy as np

from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.playing import play
from torchworks.rl.environments.rules import RULES, STRONG
from torchworks.rl.environments.tables import best_rule


def baselines(kind: Kind, seeds: list[int]) -> dict[str, float]:
    """Mean returns of the episodes that begin with `seeds`: `return_random`, and where they are known `return_rule`,
    `return_strong`, of a rule that plans, and `return_best`."""
    random = np.random.default_rng(0)

    def at_random(observations: np.ndarray) -> np.ndarray:
        if kind.continuous:
            return random.uniform(kind.low, kind.high, (len(observations), kind.actions)).astype(np.float32)
        return random.integers(kind.actions, size=len(observations))

    found = {"return_random": _mean(kind, seeds, at_random)}
    for name, rules in {"return_rule": RULES, "return_strong": STRONG}.items():
        if kind.id in rules:
            found[name] = _mean(kind, seeds, rules[kind.id])
    best = best_rule(kind)
    if best is not None:
        found["return_best"] = _mean(kind, seeds, best)
    return found


def _mean(kind: Kind, seeds: list[int], rule) -> float:
    return float(np.mean([each.total for each in play(kind, seeds, rule)]))
