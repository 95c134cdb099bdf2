"""A round of play shared by several processes: each steps its own environments, all learn from the whole round.

With P processes of N environments and batches of B rows each, everything is as in one process with P · N environments
and batches of P · B rows: the same environments, the same random numbers, the same batches. Each process makes the
gradient of its own rows of a batch, and the trainer takes the mean. Only rounding differs, by which, sooner or later,
an action falls out otherwise.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.machine.device import Device


@dataclass(frozen=True)
class Sharing:
    """This process is number `rank` of `world`."""

    rank: int = 0
    world: int = 1

    @staticmethod
    def of(device: Device) -> "Sharing":
        return Sharing(device.rank, device.world)

    def own(self, count: int) -> slice:
        """This process's `count` of the `world` · `count` rows of all."""
        return slice(self.rank * count, (self.rank + 1) * count)

    def joined(self, tensors: dict[str, Tensor], dim: int = 0) -> dict[str, Tensor]:
        """Tensors with the rows of all processes along `dim`, in their order."""
        return tensors if self.world == 1 else {name: self._joined(value, dim) for name, value in tensors.items()}

    def _joined(self, value: Tensor, dim: int) -> Tensor:
        sent = value.contiguous()
        sent = sent.byte() if value.dtype == torch.bool else sent
        parts = [torch.empty_like(sent) for _ in range(self.world)]
        dist.all_gather(parts, sent)
        return torch.cat(parts, dim).to(value.dtype)

    def collected(self, share: dict[str, Any]) -> dict[str, Any]:
        """What is kept of all processes' states; all must call it together."""
        if self.world == 1:
            return share
        shares: list[Any] = [None] * self.world
        dist.all_gather_object(shares, share)
        return {"shares": shares}

    def taken(self, state: dict[str, Any]) -> dict[str, Any]:
        """This process's part of what `collected` has made. Raises `UserError` if it is of another number of
        processes."""
        shares = state.get("shares", [state])
        if len(shares) != self.world:
            raise UserError(
                f"The run was made by {len(shares)} process{'es' * (len(shares) > 1)}, and its environments are "
                f"shared among these: continue it with as many, not with {self.world}."
            )
        return shares[self.rank]
