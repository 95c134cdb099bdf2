"""How much better an action was than expected: discounted returns and advantages of steps played in order.

Sutton & Barto 2018, "Reinforcement Learning: An Introduction", sections 3.3 and 12.1; Schulman, Moritz, Levine, Jordan
& Abbeel 2016, "High-Dimensional Continuous Control Using Generalized Advantage Estimation" (ICLR, arXiv:1506.02438).

    δ_t = r_t + γ V(s'_t) (1 − terminated_t) − V(s_t)                       GAE eq. 9
    A_t = δ_t + γλ (1 − ended_t) A_{t+1}                                    GAE eq. 16, as a recursion

s'_t is what the action led to. An episode that a time limit cut off is not over for the value: V(s'_t) of its last
observation stands for what would have come (Pardo et al. 2018, "Time Limits in Reinforcement Learning"), but no
advantage reaches across its end. λ = 1 makes A_t the discounted return less V(s_t), λ = 0 makes it δ_t.

Shapes: T steps, N environments.
"""

import torch
from torch import Tensor


def advantages(
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    *,
    discount: float,
    trace: float,
) -> Tensor:
    """A (T, N) of rewards, values V(s_t) and V(s'_t) float (T, N), and how episodes ended, bool (T, N). `discount` is
    γ, `trace` λ."""
    going = (~terminated).to(value.dtype)
    carried = discount * trace * (~(terminated | truncated)).to(value.dtype)
    delta = reward + discount * next_value * going - value
    found, later = torch.empty_like(delta), torch.zeros_like(delta[0])
    for t in range(len(delta) - 1, -1, -1):
        later = delta[t] + carried[t] * later
        found[t] = later
    return found


def normalized(advantage: Tensor) -> Tensor:
    """With mean 0 and standard deviation 1 over all rows; one row alone stays as it is."""
    if advantage.numel() < 2:
        return advantage
    spread, mean = torch.std_mean(advantage)
    return (advantage - mean) / (spread + 1e-8)
