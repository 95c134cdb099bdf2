"""Calls of environments, which anybody may have written: what fails in one, or answers what it must not, is told in one
paragraph that names the place."""

import math
import traceback
from pathlib import Path
from typing import Any

import gymnasium

from torchworks.shared.config import UserError

_HINTS = {
    "unpack": "`reset` returns an observation and a dict, `step` an observation, a number, two bool and a dict.",
    "unexpected keyword argument": "Its signature is `reset(self, *, seed=None, options=None)`.",
}


def reset(environment: gymnasium.Env, name: str, seed: int | None = None) -> Any:
    """The first observation of an episode of the environment `name`. Raises `UserError` if there is none."""
    try:
        answer = environment.reset(seed=seed)
    except (Exception, SystemExit) as error:
        raise failed(name, "reset", error) from error
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise UserError(
            f"`reset` of {name} returns {_short(answer)}. Since Gymnasium 0.26 it returns two things, the observation "
            "and a dict of whatever else there is to know: `return observation, {}`."
        )
    return answer[0]


def step(
    environment: gymnasium.Env, name: str, action: Any, *, finite: bool = True
) -> tuple[Any, float, bool, bool, dict]:
    """Observation, reward, terminated, truncated, and a dict of what else the environment tells. Raises `UserError` if
    the environment fails, if the reward is no number or, with `finite`, not a finite one."""
    try:
        observation, reward, terminated, truncated, info = environment.step(action)
    except (Exception, SystemExit) as error:
        raise failed(name, "step", error) from error
    number = _number(reward)
    if number is None or (finite and not math.isfinite(number)):
        raise UserError(
            f"A reward of {name} is {_short(reward)}, and agents learn from finite numbers alone, such as 1.0. Mend "
            f"its `step`; `rl check {name}` counts such rewards."
        )
    return observation, number, bool(terminated), bool(truncated), info if isinstance(info, dict) else {}


def close(environment: gymnasium.Env, name: str) -> None:
    """Raises `UserError` if the environment fails in it."""
    try:
        environment.close()
    except (Exception, SystemExit) as error:
        raise failed(name, "close", error) from error


def failed(name: str, where: str, error: BaseException) -> UserError:
    """What to say of `error`, which was raised in `where` of the environment `name`."""
    if isinstance(error, MemoryError):
        raise error
    text = " ".join(f"{type(error).__name__}: {error}".rstrip(": ").split())
    hint = next((f" {hint}" for word, hint in _HINTS.items() if word in text), "")
    return UserError(
        f"{name} failed in `{where}`{place(error)}: {text.rstrip('.')}.{hint} That is a fault of the environment, "
        "not of the agent; --debug shows where it comes from."
    )


def place(error: BaseException) -> str:
    """' (FILE, line N)': where it was raised, in the innermost file that is neither installed nor one of these; '' if
    there is none."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and "site-packages" not in path.parts and path.parent != Path(__file__).parent:
            return f" ({path.name}, line {frame.lineno})"
    return ""


def _number(reward: Any) -> float | None:
    try:
        return None if isinstance(reward, str) else float(reward)
    except (TypeError, ValueError, RuntimeError):  # nothing, several numbers, a tensor of several
        return None


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
