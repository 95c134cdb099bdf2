"""What the layers over graphs have in common (Gilmer et al. 2017, "Neural message passing for quantum chemistry",
https://arxiv.org/abs/1704.01212): along each edge goes a message, and each node gathers those that come to it,

    mᵢ = Σ_{j → i} M(xᵢ, xⱼ, eⱼᵢ)        xᵢ′ = U(xᵢ, mᵢ)        (equations 1 and 2)

A layer is a choice of M and U. After l layers a node knows its surroundings up to l edges away. Edges are int64 (2, E),
from `edges[0]` to `edges[1]`; each bond of a molecule is two of them. n nodes, E edges, d channels, H heads.
"""

import torch
from torch import Tensor


def gathered(messages: Tensor, to: Tensor, count: int) -> Tensor:
    """The sum of the messages (E, …) that come to each of `count` nodes, (count, …); `to` is int64 (E,)."""
    return messages.new_zeros(count, *messages.shape[1:]).index_add(0, to, messages)


def softmax_incoming(logits: Tensor, to: Tensor, count: int) -> Tensor:
    """Weights of the edges (E, H): of those that come to one node, the softmax of `logits` (E, H)."""
    logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    index = to[:, None].expand_as(logits)
    largest = logits.new_zeros(count, logits.shape[1]).scatter_reduce(0, index, logits, "amax", include_self=False)
    weights = (logits - largest.detach()[to]).exp()
    return weights / gathered(weights, to, count)[to]


def with_loops(edges: Tensor, count: int) -> Tensor:
    """The edges with one more from each node to itself, behind them; (2, E + count)."""
    own = torch.arange(count, device=edges.device)
    return torch.cat([edges, torch.stack([own, own])], 1)


def is_loop(edges: Tensor, count: int) -> Tensor:
    """Which edges of `with_loops` are loops that were there before, bool (E + count,)."""
    loop = edges[0] == edges[1]
    return loop & (torch.arange(edges.shape[1], device=edges.device) < edges.shape[1] - count)
