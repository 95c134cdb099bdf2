"""Weights of a file given to a net, or refused in a sentence."""

from collections.abc import Mapping

from torch import Tensor, nn

from torchworks.shared.config import UserError
from torchworks.shared.data.listing import some

NAMED = 3
"""Weights that a message names."""


def give_weights(net: nn.Module, state: Mapping[str, Tensor], refusal: str, advice: str) -> None:
    """Load `state` into `net`. Raises `UserError`, which begins with `refusal` and ends with `advice`, unless names and
    shapes are the net's and all numbers finite."""
    unlike = differences(state, net.state_dict())
    if reasons := unlike or [f"{name} is not finite" for name, value in state.items() if not value.isfinite().all()]:
        raise UserError(f"{refusal}: {some(reasons, NAMED)}. {advice}")
    net.load_state_dict(dict(state))


def differences(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> list[str]:
    """In what shapes and names `state` differs from what is `wanted`."""
    shapes = [
        f"{name} is {_size(state[name])}, not {_size(value)}"
        for name, value in wanted.items()
        if name in state and state[name].shape != value.shape
    ]
    missing = [f"{name} is missing" for name in wanted if name not in state]
    return [*shapes, *missing, *(f"{name} is not known" for name in state if name not in wanted)]


def _size(value: Tensor) -> str:
    return " × ".join(map(str, value.shape)) or "one number"
