"""The command `check`: what an environment is, and what is wrong with it."""

from collections.abc import Iterator

import numpy as np

from torchworks.rl.environments.drawing import PENS
from torchworks.rl.environments.opening import Kind, kind_of, make
from torchworks.rl.environments.rules import RULES
from torchworks.rl.environments.state import restores
from torchworks.rl.inference.commands import Check
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
    seen = f"one of {kind.symbols} symbols" if kind.symbols else f"{kind.observations} numbers"
    if kind.grid:
        planes, rows, columns = kind.grid
        seen = f"{planes} plane{'s' * (planes > 1)} of {rows} x {columns}"
    done = f"{kind.actions} numbers" if kind.continuous else f"one of {kind.actions}"
    yield f"{kind.id}: sees {seen}, does {done}; {f'at most {kind.limit} steps' if kind.limit else 'no limit of steps'}"
    rule, others = "yes" if kind.id in RULES else "none", "its planes" if kind.grid else "a bar for each number"
    pen = "what it is" if kind.id in PENS else others
    yield f"a rule written by hand: {rule}; films show {pen}"


def problems(kind: Kind, steps: int) -> Iterator[str]:
    """Sentences on what would spoil a training."""
    environment = make(kind.id)
    environment.action_space.seed(0)
    seen = environment.reset(seed=0)[0]
    if not environment.observation_space.contains(seen):
        yield f"what it shows first is not in its observation space {environment.observation_space}"
    outside, rewards, ends = 0, [], 0
    for _ in range(steps):
        seen, reward, terminated, truncated, _ = environment.step(environment.action_space.sample())
        outside += not environment.observation_space.contains(seen)
        rewards.append(float(reward))
        if terminated or truncated:
            ends += 1
            environment.reset()
    if outside:
        yield f"{outside} of {steps} observations are not in its observation space (another type, or beyond its limits)"
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
    if not _repeats(kind.id):
        yield "the same seed and the same actions do not give the same episode, so that no training can be repeated"
    elif not restores(make(kind.id), make(kind.id)):
        yield "its state is not all in plain attributes, so that a resumed training would not go on exactly"


def _repeats(name: str) -> bool:
    """Whether two episodes with one seed and the same actions are the same."""
    one, other = make(name), make(name)
    one.action_space.seed(1)
    pairs = [(one.reset(seed=1)[0], other.reset(seed=1)[0])]
    for _ in range(50):
        action = one.action_space.sample()
        a, b = one.step(action), other.step(action)
        pairs += [(a[0], b[0]), (a[1], b[1])]
        if a[2] or a[3]:
            break
    return all(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True) for a, b in pairs)
