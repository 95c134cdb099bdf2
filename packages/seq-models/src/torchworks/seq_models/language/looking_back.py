"""Weights with which a GPT begins to learn sooner: heads of its first block look at the tokens just before.

A new GPT's attention is about even over all earlier tokens, and its positions mean nothing yet. In small trainings most
of the time goes by until a head has found the token before: until then the net knows no more than how often which
token follows which. Here head j = 0, 1, … of the first block begins with its attention j + 1 places back, so that the
first layer sees the last few tokens apart, as an n-gram model does. What is learnt may move away from it.

The positions p are waves, as in Vaswani et al. 2017, section 3.5, of frequencies ω that are drawn from (0, π). A turn
by ω (j + 1) is a linear map, so queries q and keys k can be

    p_t = A (cos ωt, sin ωt)        k_s = p_s        q_t = g (turn by -ω (j + 1)) p_t

and q_t · k_s is largest at s = t - j - 1, where all waves agree.

Shape letters: E embed_dim, h heads, d channels of a head, F = d / 2 frequencies, C context.
"""

import math

import torch
from torch import Tensor

from torchworks.seq_models.models.gpt import GPT, Block

AMPLITUDE = 0.08
"""A; the embeddings of tokens have a standard deviation of 0.02, but in all channels."""
GAIN = 0.6
"""g. With it most of a head's attention is where it should be."""


@torch.no_grad()
def look_back(net: GPT) -> None:
    """Give a new net these weights; all others stay as they are. Heads of an odd or single number of channels cannot
    turn and stay too, and so do those that are rotary."""
    stack = net.transformer
    if stack.wpe is None:
        return  # rotary
    context, width = stack.wpe.weight.shape
    d = width // stack.num_heads
    if d < 2 or d % 2:
        return
    omega = math.pi * torch.rand(d // 2, generator=torch.Generator().manual_seed(0))
    angles = torch.arange(context)[:, None] * omega  # (C, F)
    stack.wpe.weight[:, :d] = AMPLITUDE * torch.cat([angles.cos(), angles.sin()], 1)
    block = stack.h[0]
    assert isinstance(block, Block)
    queries, keys, _ = block.attn.c_attn.weight.unflatten(1, (3, stack.num_heads, d)).unbind(1)  # (E, h, d)
    queries[:d] = GAIN * torch.stack([turned(omega * (j + 1)) for j in range(stack.num_heads)], 1)
    keys[:d] = torch.eye(d)[:, None]


def turned(angles: Tensor) -> Tensor:
    """The matrix M (d, d) that turns row vectors (cos a, sin a), d = 2 F, by -`angles` (F,)."""
    cos, sin = angles.cos().diag(), angles.sin().diag()
    return torch.cat([torch.cat([cos, -sin], 1), torch.cat([sin, cos], 1)])
