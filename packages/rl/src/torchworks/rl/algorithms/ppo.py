"""PPO: several steps on the same episodes, as long as the policy stays near the one that played them.

Schulman, Wolski, Dhariwal, Radford & Klimov 2017, "Proximal Policy Optimization Algorithms" (arXiv:1707.06347).

The gradient of A2C is that of the policy that played; after one step it is another's. PPO weighs actions by how much
more probable they have become,

    ρ_t = π(a_t | s_t) / π_old(a_t | s_t)                                                       section 2.1
    L = −E[min(ρ_t A_t, clip(ρ_t, 1 − ε, 1 + ε) A_t)]                                           eq. 7

and the minimum takes away what could be gained by going further than ε. So the same steps can be learnt from for
several epochs, which is where its thrift comes from.
"""

import torch
from torch import Tensor


def clipped_loss(ratio: Tensor, advantage: Tensor, *, clip: float) -> Tensor:
    """Eq. 7 of ρ and A, (N,) each; `clip` is ε."""
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage).mean()


def share_clipped(ratio: Tensor, *, clip: float) -> Tensor:
    """Of ρ (N,), the share that lies beyond 1 ± ε."""
    return ((ratio - 1).abs() > clip).float().mean()


def divergence(log_ratio: Tensor) -> Tensor:
    """An estimate of KL(π_old ‖ π) from log ρ (N,) at actions of π_old: E[(ρ − 1) − log ρ], which is never negative
    (Schulman 2020, "Approximating KL Divergence")."""
    return (log_ratio.exp() - 1 - log_ratio).mean()
