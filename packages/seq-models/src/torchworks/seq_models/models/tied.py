"""Nets with one tensor under several names, such as GPT's embedding, which is its last layer too.

A reference's file of weights may hold such a tensor under each name or under one. Ours is saved under one, so that no
file holds it twice; either kind loads.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.shared.config import UserError


class TiedNet(nn.Module):
    """A net whose `tied` maps each name that a reference has too many to the name that stays."""

    tied: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_pre_hook(_drop_aliases)

    def reference_state(self) -> dict[str, Tensor]:
        """The `state_dict` with all names that the reference has: it loads strictly there."""
        state = self.state_dict()
        return state | {alias: state[name] for alias, name in self.tied.items()}


def _drop_aliases(net: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    assert isinstance(net, TiedNet)
    for alias, name in net.tied.items():
        value = state.pop(prefix + alias, None)
        if value is None:
            continue
        kept = state.setdefault(prefix + name, value)
        if kept is not value and not torch.equal(kept, value):
            raise UserError(
                f"These weights have two different tensors '{alias}' and '{name}', but in this net they are one. They "
                "belong to a net of another kind."
            )
