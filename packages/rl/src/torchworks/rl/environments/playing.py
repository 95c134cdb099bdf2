"""Whole episodes by a policy that always takes its most probable action, or by any other rule.

Shapes: N episodes, D numbers of an observation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gymnasium
import numpy as np
from torch import Tensor

from torchworks.rl.environments.calling import close, reset, step
from torchworks.rl.environments.drawing import draw
from torchworks.rl.environments.opening import Kind, as_numbers, as_taken, make
from torchworks.rl.environments.remembering import Remembering
from torchworks.rl.environments.several import several
from torchworks.rl.environments.state import layers

Rule = Callable[[np.ndarray], np.ndarray] | Remembering
"""From observations float32 (N, D) to actions, int64 (N,) or float32 (N, A), perhaps with a memory."""
FILMED = 3_000_000
"""The seed of the episode that is shown while an agent learns: none that it is chosen or judged by."""
LONGEST = 100_000
"""Steps after which an episode without a limit of its own is cut off."""


@dataclass(frozen=True)
class Played:
    """Sum of rewards and number of steps of an episode."""

    total: float
    steps: int


def play(kind: Kind, seeds: Sequence[int], rule: Rule) -> list[Played]:
    """Episodes that begin with `seeds`, all at once; the actions of those that have ended are not asked for."""
    environments, act = several(kind, [int(seed) for seed in seeds]), player(rule, len(seeds))
    seen, going = environments.observation, np.arange(len(seeds))
    totals, steps = np.zeros(len(seeds)), np.zeros(len(seeds), dtype=np.int64)
    while len(going):
        found = environments.step(act(seen, going.tolist()), going)
        totals[going] += found.reward
        steps[going] += 1
        on = ~(found.terminated | found.truncated) & (steps[going] < LONGEST)
        seen, going = found.observation[on], going[on]
    return [Played(total, count) for total, count in zip(totals.tolist(), steps.tolist(), strict=True)]


def film(kind: Kind, seed: int, rule: Rule, *, every: int = 4, longest: int = 2_000) -> tuple[list[Tensor], Played]:
    """Frames uint8 (3, H, W) of an episode, of every `every`-th step and the last one, and how it went. After `longest`
    steps the film ends."""
    environment, act, total, steps = make(kind.id), player(rule, 1), 0.0, 0
    seen, ended, frames = reset(environment, kind.id, seed), False, []
    while not ended and steps < longest:
        now = as_numbers(kind, [seen])
        if steps % every == 0:
            frames.append(draw(kind, _shown(environment, now[0]), f"step {steps}   return {total:g}"))
        seen, reward, terminated, truncated, _ = step(environment, kind.id, as_taken(kind, act(now, [0]))[0])
        total, steps, ended = total + reward, steps + 1, terminated or truncated
    frames.append(draw(kind, _shown(environment, as_numbers(kind, [seen])[0]), f"step {steps}   return {total:g}"))
    close(environment, kind.id)
    return frames, Played(total, steps)


def player(rule: Rule, episodes: int) -> Callable[[np.ndarray, list[int]], np.ndarray]:
    """`rule` at the beginning of `episodes`: observations of some of them, and which, to their actions."""
    return rule.begin(episodes) if isinstance(rule, Remembering) else lambda seen, which: rule(seen)


def _shown(environment: gymnasium.Env, seen: np.ndarray) -> np.ndarray:
    """What people see of an environment: what it says itself, or what agents see."""
    shown = next((it for layer in layers(environment) if callable(it := getattr(layer, "shown", None))), None)
    return seen if shown is None else shown()
