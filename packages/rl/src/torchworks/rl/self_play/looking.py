"""A look one move ahead by the net that chooses: what each move is worth is what it leaves to the other side, negated.

What a search of one move makes of a policy P (Danihelka et al. 2022, "Policy improvement by planning with Gumbel",
eq. 11):

    softmax(log P + σ Q),    Q(s, a) = −v(s, a)

A move that wins outweighs all this, and so does one after which the other side can win. It is all tensor operations, so
that exported and served models look ahead too.

Shapes: N positions of 3 planes of H x W cells, a move a column of W.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.rl.models.board_net import FORBIDDEN, BoardNet

SHARPNESS = 10.0
"""σ."""
_CERTAIN = 1000.0


def look_ahead(net: BoardNet, observation: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities (N, W) of the moves in positions (N, 3, H, W), and the value (N,) of the side that moves."""
    logits, _ = net(observation)
    stones, free = observation[:, :2], observation[:, 2]
    width = observation.shape[3]
    each = torch.eye(width, dtype=observation.dtype, device=observation.device)
    fallen = free.unsqueeze(1) * each[:, None, :]  # (N, W, H, W): where the stone of each move comes to lie
    above = F.pad(fallen[:, :, 1:], (0, 0, 0, 1))
    after = torch.stack(
        [
            stones[:, 1].unsqueeze(1).expand_as(fallen),
            stones[:, 0].unsqueeze(1) + fallen,
            free.unsqueeze(1) - fallen + above,
        ],
        dim=2,
    ).flatten(0, 1)
    value = -net(after)[1].unflatten(0, (-1, width))
    wins = (fallen * net.threats(stones)[:, :1]).amax((2, 3)) > 0.5
    answered = (net.threats(after[:, :2])[:, 0] * after[:, 2]).amax((1, 2)).unflatten(0, (-1, width)) > 0.5
    value = torch.where(wins, 1.0, torch.where(answered, -1.0, value.float()))
    certain = _CERTAIN * (wins.float() - (answered & ~wins).float())
    scores = logits.float().log_softmax(1) + SHARPNESS * value + certain
    full = free.amax(1) < 0.5
    probability = scores.masked_fill(full, FORBIDDEN).softmax(1)
    return probability, (probability * value).sum(1)
