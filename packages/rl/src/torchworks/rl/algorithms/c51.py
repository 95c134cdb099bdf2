"""C51: not the mean of what an action is worth but how it is distributed.

Bellemare, Dabney & Munos 2017, "A Distributional Perspective on Reinforcement Learning" (ICML, arXiv:1707.06887),
algorithm 1.

The return takes one of K values z_i, evenly spaced from v_min to v_max; the net gives the probability of each. What
follows, moved by the reward and shrunk by the discount, falls between them, and its probability is shared between the
two neighbors in proportion to nearness:

    Tz_j = clip(R + γ z_j)        b = (Tz_j − v_min) / Δz        m_⌊b⌋ += p_j (⌈b⌉ − b),  m_⌈b⌉ += p_j (b − ⌊b⌋)
    L = −Σ_i m_i log p_i(s, a)

Shapes: N steps, K values.
"""

import torch
from torch import Tensor


def support(low: float, high: float, atoms: int) -> Tensor:
    """z (K,)."""
    return torch.linspace(low, high, atoms)


def projected(probability: Tensor, reward: Tensor, discount: Tensor, values: Tensor) -> Tensor:
    """m (N, K) of p (N, K), R (N,), γ or 0 (N,) and z (K,)."""
    low, high, atoms = values[0], values[-1], len(values)
    moved = (reward[:, None] + discount[:, None] * values).clamp(low, high)
    place = ((moved - low) / (high - low) * (atoms - 1)).clamp(0, atoms - 1)  # in steps of Δz
    below = place.floor()
    share = place - below
    index = below.long()
    found = torch.zeros_like(probability)
    found.scatter_add_(1, index, probability * (1 - share))
    return found.scatter_add_(1, (index + 1).clamp(max=atoms - 1), probability * share)


def cross_entropy(log_probability: Tensor, target: Tensor) -> Tensor:
    """−Σ m log p (N,) of (N, K) each."""
    return -(target * log_probability).sum(1)
