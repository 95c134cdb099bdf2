"""The state of an environment as plain data, so that a training goes on exactly where it stopped.

An environment of Gymnasium is an object in wrappers, each an object too. Their state is in their attributes: numbers,
texts, arrays, lists of these, and generators of random numbers. `state_of` reads these of all layers, and `restore`
sets them on another environment of the same kind. What is of another type, such as spaces, is taken to be the same in
both. A layer whose state is elsewhere, as an emulator's, has it in properties that can be set, whose names are in
`kept`.

Whether that is the whole state depends on the environment. `restores` tries it.
"""

from typing import Any

import gymnasium
import numpy as np
import torch

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
            if isinstance(value, dict) and "generator" in value:
                setattr(layer, name, _generator(value["generator"]))
            else:
                setattr(layer, name, _decode(value))


def restores(one: gymnasium.Env, other: gymnasium.Env, seed: int = 0, steps: int = 50) -> bool:
    """Whether `other` continues exactly like `one` once it has its state: `steps` random actions before, and as many
    after, through ends of episodes. Both must be of one kind, and are used up."""
    actions = np.random.default_rng(seed)
    one.action_space.seed(seed)
    one.reset(seed=seed)
    for _ in range(steps):
        _advance(one, one.action_space.sample(), actions)
    other.reset(seed=seed + 1)
    restore(other, state_of(one))
    for _ in range(steps):
        action = one.action_space.sample()
        if not _equal(_advance(one, action, actions), _advance(other, action, actions)):
            return False
    return True


def _advance(environment: gymnasium.Env, action: Any, random: np.random.Generator) -> tuple[Any, ...]:
    observation, reward, terminated, truncated, _ = environment.step(action)
    after = environment.reset()[0] if terminated or truncated else None
    return observation, float(reward), bool(terminated), bool(truncated), after


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
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
    if isinstance(value, list | tuple):
        items = [_encode(item) for item in value]
        return _OTHER if any(item is _OTHER for item in items) else {type(value).__name__: items}
    return _OTHER


def _decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return value["array"].numpy().copy()
    if "scalar" in value:
        return np.dtype(value["dtype"]).type(value["scalar"])
    if "tuple" in value:
        return tuple(map(_decode, value["tuple"]))
    return list(map(_decode, value["list"]))


def _generator(state: dict[str, Any]) -> np.random.Generator:
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)
