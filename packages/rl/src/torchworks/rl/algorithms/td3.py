"""TD3: actions that are numbers, by a policy that climbs what the critic says, with three cures for a critic that
flatters.

Fujimoto, van Hoof & Meger 2018, "Addressing Function Approximation Error in Actor-Critic Methods" (ICML,
arXiv:1802.09477), algorithm 1.

    a' = clip(π̄(s') + clip(ε, −c, c), −1, 1),  ε ~ N(0, σ²)                           eq. 14: neighbors are worth alike
    y = R + γ min_i Q̄_i(s', a')                                                        eq. 10: the smaller of two
    L_Q = Σ_i E[(Q_i(s, a) − y)²] / 2          L_π = −E[Q_1(s, π(s))], every second step  section 5.2

What differs: the targets move a little at each step of the critics (actor_critic/task.py), not at every second one, as
SAC's do.

Shapes: N steps, A numbers of an action.
"""

from torch import Tensor


def smoothed(action: Tensor, normal: Tensor, *, noise: float, limit: float) -> Tensor:
    """a' (N, A) of π̄(s') in [−1, 1] and standard normal numbers (N, A); `noise` is σ, `limit` c."""
    return (action + (noise * normal).clamp(-limit, limit)).clamp(-1, 1)


def critic_loss(values: Tensor, target: Tensor) -> Tensor:
    """L_Q of the critics' values (2, N) and y (N,), which has no gradient."""
    return (values - target).square().mean(1).sum() / 2
