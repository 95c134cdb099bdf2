"""REINFORCE: make what turned out well more probable.

Williams 1992, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning" (Machine
Learning 8), eq. 4 and section 4.

    L = −E[(G_t − b(s_t)) log π(a_t | s_t)]

G_t is the discounted return that followed, b a baseline that does not depend on the action, so that it changes the
spread of the gradient and not its mean.

What differs: an episode that has not ended when the steps are used is continued by the learnt value, as every policy
here; with one that has, G_t is exact.
"""

from torch import Tensor


def reinforce_loss(log_probability: Tensor, advantage: Tensor) -> Tensor:
    """The loss of log π(a | s) (N,) and G − b(s) (N,), which has no gradient."""
    return -(advantage * log_probability).mean()
