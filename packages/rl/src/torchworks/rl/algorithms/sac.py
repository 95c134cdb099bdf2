"""SAC: act as well as can be while staying as undecided as can be.

Haarnoja, Zhou, Hartikainen, Tucker, Ha, Tan, Kumar, Zhu, Gupta, Abbeel & Levine 2018, "Soft Actor-Critic Algorithms and
Applications" (arXiv:1812.05905).

    y = R + γ (min_i Q̄_i(s', a') − α log π(a' | s')),  a' ~ π(· | s')                 eq. 2 and 5
    L_Q = Σ_i E[(Q_i(s, a) − y)²] / 2                                                  eq. 5
    L_π = E[α log π(a | s) − min_i Q_i(s, a)],  a = tanh(u) drawn by the policy        eq. 9
    L_α = −E[log α (log π(a | s) + H̄)]                                                 eq. 18, with log α for α

The entropy that is left over is as much worth as reward, at the price α, and α is found so that the policy has the
entropy H̄: what explores need not be set by hand. The smaller of two critics keeps values from growing by their own
errors (Fujimoto et al. 2018).

Shapes: N steps, A numbers of an action.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def squashed(mean: Tensor, log_std: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """Actions tanh(u) (N, A) in (−1, 1), u = mean + std · normal, and log π (N,): that of u less Σ log(1 − tanh²(u))
    (appendix C), which is computed as 2 (log 2 − u − softplus(−2u)) so that it stays finite."""
    u = mean + log_std.exp() * normal
    log = -(normal.square() / 2 + log_std + math.log(2 * math.pi) / 2).sum(1)
    return torch.tanh(u), log - (2 * (math.log(2) - u - F.softplus(-2 * u))).sum(1)


def soft_target(
    reward: Tensor, discount: Tensor, following: Tensor, log_probability: Tensor, *, temperature: Tensor
) -> Tensor:
    """y (N,) of R, γ or 0, min Q̄(s', a') and log π(a' | s'), (N,) each; `temperature` is α."""
    return reward + discount * (following - temperature * log_probability)


def soft_actor_loss(log_probability: Tensor, value: Tensor, *, temperature: Tensor) -> Tensor:
    """L_π of log π(a | s) and min Q(s, a), (N,) each."""
    return (temperature * log_probability - value).mean()


def temperature_loss(log_temperature: Tensor, log_probability: Tensor, *, entropy: float) -> Tensor:
    """L_α of log α and log π (N,), which has no gradient; `entropy` is H̄."""
    return -(log_temperature * (log_probability + entropy)).mean()
