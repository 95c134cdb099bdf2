"""A2C: an actor that is told by a critic how much better than expected its action was.

Mnih et al. 2016, "Asynchronous Methods for Deep Reinforcement Learning" (ICML, arXiv:1602.01783), section 4: A3C, whose
workers each apply gradients of their own to shared weights. A2C lets all environments take their steps with the same
weights and makes one gradient of them: the same loss, and a training that can be repeated.

    L = −E[A_t log π(a_t | s_t)] + c_v E[(V(s_t) − R_t)²] / 2 − c_e E[H(π(· | s_t))]

R_t = A_t + V(s_t) with the V of before. The entropy H keeps the policy from deciding too early.
"""

from torch import Tensor

from torchworks.rl.algorithms.reinforce import reinforce_loss


def actor_loss(log_probability: Tensor, advantage: Tensor, entropy: Tensor, *, entropy_weight: float) -> Tensor:
    """−E[A log π] − c_e E[H] of (N,) each."""
    return reinforce_loss(log_probability, advantage) - entropy_weight * entropy.mean()


def critic_loss(value: Tensor, target: Tensor) -> Tensor:
    """E[(V − R)²] / 2 of (N,) each."""
    return (value - target).square().mean() / 2
