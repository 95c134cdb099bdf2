"""Whole episodes by a policy that always takes its most probable action, or by any other rule.

Shapes: N episodes, D numbers of an observation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from torchworks.rl.environments.drawing import draw
from torchworks.rl.environments.opening import Kind, as_numbers, as_taken, make
from torchworks.rl.environments.several import several

Rule = Callable[[np.ndarray], np.ndarray]
"""From observations float32 (N, D) to actions, int64 (N,) or float32 (N, A)."""
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
    environments = several(kind, [int(seed) for seed in seeds])
    seen, going = environments.observation, np.arange(len(seeds))
    totals, steps = np.zeros(len(seeds)), np.zeros(len(seeds), dtype=np.int64)
    while len(going):
        found = environments.step(rule(seen), going)
        totals[going] += found.reward
        steps[going] += 1
        on = ~(found.terminated | found.truncated) & (steps[going] < LONGEST)
        seen, going = found.observation[on], going[on]
    return [Played(total, count) for total, count in zip(totals.tolist(), steps.tolist(), strict=True)]


def film(kind: Kind, seed: int, rule: Rule, *, every: int = 4, longest: int = 2_000) -> tuple[list[Tensor], Played]:
    """Frames uint8 (3, H, W) of an episode, of every `every`-th step and the last one, and how it went. After `longest`
    steps the film ends."""
    environment, total, step = make(kind.id), 0.0, 0
    seen, ended, frames = environment.reset(seed=seed)[0], False, []
    while not ended and step < longest:
        now = as_numbers(kind, [seen])
        if step % every == 0:
            frames.append(draw(kind, now[0], f"step {step}   return {total:g}"))
        seen, reward, terminated, truncated, _ = environment.step(as_taken(kind, rule(now))[0])
        total, step, ended = total + float(reward), step + 1, terminated or truncated
    frames.append(draw(kind, as_numbers(kind, [seen])[0], f"step {step}   return {total:g}"))
    environment.close()
    return frames, Played(total, step)
