"""A policy and a value of a board, by residual convolutions.

Silver et al. 2017, "Mastering the Game of Go without Human Knowledge" (Nature 550), methods, "Neural network
architecture": a convolution, a tower of residual blocks (He et al. 2016), and two heads, each a 1 × 1 convolution and
dense layers. Here without batch norm: the last convolution of each block begins at 0 instead (Zhang et al. 2019,
"Fixup"), so that one position is judged alike in any batch.

    x ← relu(x + conv(relu(conv(x))))          p = softmax(policy(x))          v = tanh(value(x))

As Silver et al. 2016 gave their first Go player the liberties of stones, the net is given what follows from the rules:
in which empty cells a stone would make four in a row, for each side. Fixed convolutions find them.

Moves that the rules forbid are masked inside: the last plane of an observation shows where a stone can be put.

Shapes: N positions, C planes of H x W cells, a move a column of W.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FORBIDDEN = -1e9
"""The logit of a move that the rules forbid."""


class BoardNet(nn.Module):
    """Positions (N, C, H, W), whose first two planes are the stones of the sides, to logits (N, W) of the moves and the
    value (N,), in [−1, 1], of the side that moves."""

    threes: Tensor

    def __init__(
        self, planes: int, height: int, width: int, *, channels: int = 32, blocks: int = 2, head_channels: int = 8
    ):
        super().__init__()
        cells = head_channels * height * width
        self.register_buffer("threes", _threes(), persistent=False)
        self.stem = nn.Conv2d(planes + 2, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(_Residual(channels) for _ in range(blocks)))
        self.policy = nn.Sequential(_Flat(channels, head_channels), nn.Linear(cells, width))
        self.value = nn.Sequential(_Flat(channels, head_channels), nn.Linear(cells, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        seen = torch.cat([observation, self.threats(observation[:, :2])], dim=1)
        features = self.blocks(F.relu(self.stem(seen)))
        allowed = observation[:, -1].amax(1) > 0.5
        logits = self.policy(features).float().masked_fill(~allowed, FORBIDDEN)
        return logits, torch.tanh(self.value(features).float()).squeeze(1)

    def threats(self, stones: Tensor) -> Tensor:
        """Where stones of either side (N, 2, H, W) lack one cell of four in a row, and the cell is empty: 0 or 1."""
        each = stones.flatten(0, 1).unsqueeze(1)
        three = F.conv2d(each, self.threes, padding=3).amax(1).unflatten(0, stones.shape[:2]) > 2.5
        empty = stones.sum(1, keepdim=True) < 0.5
        return (three & empty).to(stones.dtype)


def _threes() -> Tensor:
    """(16, 1, 7, 7): the three other cells of four in a row around the middle one, in four directions."""
    found = torch.zeros(16, 1, 7, 7)
    for number, (down, right) in enumerate([(1, 0), (0, 1), (1, 1), (1, -1)]):
        for missing in range(4):
            for place in set(range(4)) - {missing}:
                away = place - missing
                found[4 * number + missing, 0, 3 + away * down, 3 + away * right] = 1
    return found


class _Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class _Flat(nn.Module):
    """A 1 × 1 convolution, whose channels and cells become one vector."""

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x)).flatten(1)
