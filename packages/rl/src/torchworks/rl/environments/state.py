"""The state of an environment as plain data, so that a training goes on exactly where it stopped.

An environment of Gymnasium is an object in wrappers, each an object too. Their state is in their attributes: numbers,
texts, arrays, lists, tables, sets and queues of these, and generators of random numbers. `state_of` reads these of all
layers, and `restore` sets them on another environment of the same kind. What is of another type, such as spaces, is
taken to be the same in both. A layer whose state is elsewhere, as an emulator's, has it in properties that can be set,
whose names are in `kept`.

Whether that is the whole state depends on the environment. `restores` tries it.
"""

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch

from torchworks.rl.environments.calling import reset, step

State = list[dict[str, Any]]
_PLAIN = (bool, int, float, str)
_OTHER = object()


def state_of(environment: gymnasium.Env) -> State:
    """The plain attributes of each layer, from the outermost wrapper to the environment itself: numbers, texts, None,
    tensors, lists and tables of these."""
    return [
        {name: encoded for name in _names(layer) if (encoded := _encode(getattr(layer, name))) is not _OTHER}
        for layer in layers(environment)
    ]


def restore(environment: gymnasium.Env, state: State) -> None:
    """Set what `state_of` read from another environment of the same kind."""
    found = layers(environment)
    assert len(found) == len(state), "an environment of another kind"
    for layer, attributes in zip(found, state, strict=True):
        for name, value in attributes.items():
            setattr(layer, name, _decode(value))


def restores(one: gymnasium.Env, other: gymnasium.Env, seed: int = 0, steps: int = 50) -> bool:
    """Whether `other` continues exactly like `one` once it has its state: `steps` random actions before, and as many
    after, through ends of episodes. Both must be of one kind, and are used up."""
    name = one.spec.id if one.spec is not None else type(one.unwrapped).__name__
    one.action_space.seed(seed)
    reset(one, name, seed)
    for _ in range(steps):
        advance(one, name, one.action_space.sample())
    reset(other, name, seed + 1)
    restore(other, state_of(one))
    for _ in range(steps):
        action = one.action_space.sample()
        if not equal(advance(one, name, action), advance(other, name, action)):
            return False
    return True


def advance(environment: gymnasium.Env, name: str, action: Any) -> tuple[Any, ...]:
    """All that the environment `name` answers to an action, and what it shows after a reset, if it ended."""
    observation, *answer, _ = step(environment, name, action, finite=False)
    observation = np.array(observation)  # the environment may write into it again
    after = np.array(reset(environment, name)) if answer[1] or answer[2] else None
    return observation, *answer, after


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind == "f"))


def _names(layer: Any) -> list[str]:
    """Attributes that may be state, and properties that a layer's `kept` names."""
    return [*vars(layer), *getattr(layer, "kept", ())]


def layers(environment: gymnasium.Env) -> list[Any]:
    """The wrappers of an environment from the outermost one, and itself."""
    found: list[Any] = [environment]
    while isinstance(found[-1], gymnasium.Wrapper):
        found.append(found[-1].env)
    return found


def _encode(value: Any) -> Any:
    """`value` as what a checkpoint may hold, or `_OTHER`."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {"array": torch.from_numpy(value.copy())}
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return {"scalar": value.item(), "dtype": value.dtype.str}
    if isinstance(value, np.random.Generator):
        return {"generator": value.bit_generator.state}
    if type(value) is random.Random:
        version, numbers, spare = value.getstate()
        return {"random": [version, torch.tensor(numbers), spare]}
    if type(value) is deque:
        return _all_of(list(value), lambda items: {"deque": items, "maxlen": value.maxlen})
    if type(value) is dict:
        pairs = [item for pair in value.items() for item in pair]
        return _all_of(pairs, lambda items: {"dict": items})
    if isinstance(value, list | tuple | set):
        return _all_of(list(value), lambda items: {type(value).__name__: items})
    return _OTHER


def _all_of(values: list[Any], whole: Callable[[list[Any]], Any]) -> Any:
    items = [_encode(item) for item in values]
    return _OTHER if any(item is _OTHER for item in items) else whole(items)


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return value["array"].numpy().copy()
    if "scalar" in value:
        return np.dtype(value["dtype"]).type(value["scalar"])
    if "generator" in value:
        return _generator(value["generator"])
    if "random" in value:
        (version, numbers, spare), found = value["random"], random.Random()
        found.setstate((version, tuple(numbers.tolist()), spare))
        return found
    kind = next(kind for kind in ("deque", "dict", "set", "tuple", "list") if kind in value)
    items = [_decode(item) for item in value[kind]]
    if kind == "deque":
        return deque(items, value["maxlen"])
    if kind == "dict":
        return dict(zip(items[::2], items[1::2], strict=True))
    return {"set": set, "tuple": tuple, "list": list}[kind](items)


def _generator(state: dict[str, Any]) -> np.random.Generator:
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)
