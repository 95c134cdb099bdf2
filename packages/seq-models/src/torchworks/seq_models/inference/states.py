"""What recurrent models remember between the pieces of a sequence, for the examples that are kept with them."""

import torch
from torch import Tensor

from torchworks.shared.models.signature import Signature


def example_states(signature: Signature, rows: int, seed: int = 0) -> dict[str, Tensor]:
    """The inputs of the kind state for `rows` rows: nothing is remembered in even rows, anything in odd ones, so that
    an export is compared with both."""
    draw, states = torch.Generator().manual_seed(seed), {}
    for spec in signature.inputs:
        if spec.kind != "state":
            continue
        shape = (rows, *(int(size) for size in spec.shape[1:]))
        if spec.dtype == "int64":
            values = torch.randint(int(spec.low or 0), int(spec.high or 0) + 1, shape, generator=draw)
        else:
            values = torch.randn(shape, generator=draw) / 4
        values[::2] = 0
        states[spec.name] = values
    return states
