"""The command `check`: what an environment is, and what is wrong with it."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np

from torchworks.rl.environments.calling import reset, step
from torchworks.rl.environments.drawing import PENS
from torchworks.rl.environments.opening import Kind, kind_of, make
from torchworks.rl.environments.rules import RULES
from torchworks.rl.environments.state import advance, equal, restores
from torchworks.rl.inference.commands import Check
from torchworks.shared.config import UserError
from torchworks.shared.options import check_number


def check(arguments: Check) -> int:
    """Print facts and problems; exit code 2 if there is a problem."""
    check_number("--steps", arguments.steps, 1, 1_000_000)
    kind = kind_of(arguments.environment)
    for fact in facts(kind):
        print(fact)
    found = list(problems(kind, arguments.steps))
    for problem in found:
        print(f"problem: {problem}")
    if not found:
        print("nothing is wrong with it")
    return 2 if found else 0


def facts(kind: Kind) -> Iterator[str]:
    """What an agent has to do with, a line each."""
    seen = f"one of {kind.symbols} symbols" if kind.symbols else _several(kind.observations)
    if kind.grid:
        planes, rows, columns = kind.grid
        seen = f"{planes} plane{'s' * (planes > 1)} of {rows} x {columns}"
    done = _several(kind.actions) if kind.continuous else f"one of {kind.actions}"
    yield f"{kind.id}: sees {seen}, does {done}; {f'at most {kind.limit} steps' if kind.limit else 'no limit of steps'}"
    rule, others = "yes" if kind.id in RULES else "none", "its planes" if kind.grid else "a bar for each number"
    pen = "what it is" if kind.id in PENS else others
    yield f"a rule written by hand: {rule}; films show {pen}"


def _several(count: int) -> str:
    return f"{count} number{'s' * (count > 1)}"


def problems(kind: Kind, steps: int) -> Iterator[str]:
    """Sentences on what would spoil a training."""
    try:
        yield from _problems(kind, steps)
    except UserError as error:  # nothing else can be tried then
        yield str(error)


def _problems(kind: Kind, steps: int) -> Iterator[str]:
    environment, name = make(kind.id), kind.id
    space = environment.observation_space
    environment.action_space.seed(0)
    seen = reset(environment, name, 0)
    if odd := _odd(space, seen):
        yield f"what it shows first is not in its observation space {space}: {odd}"
    outside, example, rewards, ends = 0, odd, [], 0
    for _ in range(steps):
        seen, reward, terminated, truncated, _ = step(
            environment, name, environment.action_space.sample(), finite=False
        )
        if odd := _odd(space, seen):
            outside, example = outside + 1, odd
        rewards.append(reward)
        if terminated or truncated:
            ends += 1
            reset(environment, name)
    if outside:
        yield f"{outside} of {steps} observations are not in its observation space, for example: {example}"
    bad = int((~np.isfinite(rewards)).sum())
    if bad:
        yield f"{bad} of {steps} rewards are not finite numbers"
    elif len(set(rewards)) == 1 and not ends:
        yield f"in {steps} random steps each reward is {rewards[0]:g} and no episode ends: there is nothing to learn"
    if not ends and kind.limit is None:
        yield (
            f"no episode ended in {steps} random steps, and it has no limit of steps; register it with "
            "max_episode_steps"
        )
    if not _repeats(name):
        yield "the same seed and the same actions do not give the same episode, so that no training can be repeated"
    elif not _repeats(name, beside=make(name)):
        yield "an episode goes otherwise while another copy of it is played: copies share what each should have alone"
    elif not restores(make(name), make(name)):
        yield "its state is not all in plain attributes, so that a resumed training would not go on exactly"


def _odd(space: gymnasium.Space, seen: Any) -> str:
    """Why `seen` is not in `space`; nothing if it is."""
    if not isinstance(space, gymnasium.spaces.Box):
        return "" if space.contains(seen) else f"{type(seen).__name__} {seen!r:.60}"
    if not isinstance(seen, np.ndarray | np.generic | int | float | list | tuple):
        return f"it is of the type {type(seen).__name__}"
    found = np.asarray(seen)
    if found.shape != space.shape:
        return f"the shape is {found.shape}"
    if isinstance(seen, np.ndarray) and not np.can_cast(found.dtype, space.dtype):
        return f"the type is {found.dtype} (`.astype(np.{space.dtype})` makes it right)"
    if found.dtype.kind not in "biuf" or not np.isfinite(found).all():
        return "it holds NaN, infinity or what is no number"
    low, high = np.argwhere(found < space.low), np.argwhere(found > space.high)
    for place in (*low[:1], *high[:1]):
        return f"number {', '.join(map(str, place))} is {found[tuple(place)]:g}, beyond its limits"
    return ""


def _repeats(name: str, beside: gymnasium.Env | None = None) -> bool:
    """Whether two episodes with one seed and the same actions are the same, also if the first one is played in turns
    with `beside`."""
    one, other = make(name), make(name)
    one.action_space.seed(1)
    actions = [one.action_space.sample() for _ in range(50)]
    alone = [np.array(reset(other, name, 1)), *(advance(other, name, action) for action in actions)]
    found: list[Any] = [np.array(reset(one, name, 1))]
    if beside is not None:
        reset(beside, name, 2)
    for action in actions:
        if beside is not None:
            advance(beside, name, actions[-1])
        found.append(advance(one, name, action))
    return equal(alone, found)
