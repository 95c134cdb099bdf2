"""Positions of games that have been played, kept and drawn again.

A mirrored position is worth as much, and its best moves are mirrored too, so half of those that are drawn are.

Shapes: M places of the memory, B rows of a batch.
"""

import torch
from torch import Tensor, nn

from torchworks.rl.environments.games import four_rules as rules


class Positions(nn.Module):
    """Room for `capacity` positions, the oldest of which make way: `own` and `both` (four_rules.py), the shares of the
    moves in a search, and its worth. A net without parameters, so that a checkpoint keeps it."""

    own: Tensor
    both: Tensor
    shares: Tensor
    value: Tensor
    count: Tensor
    shifts: Tensor

    def __init__(self, capacity: int):
        super().__init__()
        for name in ("own", "both"):
            self.register_buffer(name, torch.zeros(capacity, dtype=torch.int64))
        self.register_buffer("shares", torch.zeros(capacity, rules.COLUMNS))
        self.register_buffer("value", torch.zeros(capacity))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("shifts", torch.from_numpy(rules.SHIFTS).long(), persistent=False)

    def __len__(self) -> int:
        return min(int(self.count), len(self.own))

    def add(self, own: Tensor, both: Tensor, shares: Tensor, value: Tensor) -> None:
        """Keep N positions."""
        index = (torch.arange(len(own), device=self.own.device) + self.count) % len(self.own)
        for name, given in {"own": own, "both": both, "shares": shares, "value": value}.items():
            kept = getattr(self, name)
            kept[index] = given.to(kept)
        self.count += len(own)

    def draw(self, uniform: Tensor) -> dict[str, Tensor]:
        """A batch by `uniform` numbers (B, 2) in [0, 1): observation (B, 3, 6, 7), shares (B, 7) and value (B,)."""
        index = (uniform[:, 0] * len(self)).long().clamp(max=len(self) - 1)
        own, both = self.own[index], self.both[index]
        bits = torch.stack([own, own ^ both, rules.playable(both)], 1)
        seen = ((bits[:, :, None, None] >> self.shifts) & 1).float()
        flip, shares = uniform[:, 1] < 0.5, self.shares[index]
        return {
            "observation": torch.where(flip[:, None, None, None], seen.flip(3), seen),
            "shares": torch.where(flip[:, None], shares.flip(1), shares),
            "value": self.value[index],
        }
