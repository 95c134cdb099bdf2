"""Deep Q-learning: the value of an action is its reward and the value of the best that can follow.

| what | paper |
|---|---|
| a net, steps drawn at random from kept ones, a target that lags behind | Mnih et al. 2015, algorithm 1 |
| the net chooses what follows, the target values it | van Hasselt, Guez & Silver 2016, eq. 4 |
| rewards of n steps before the value | Sutton & Barto 2018, "Reinforcement Learning", section 7.1 |

Mnih et al. 2015, "Human-level control through deep reinforcement learning" (Nature 518); van Hasselt, Guez & Silver
2016, "Deep Reinforcement Learning with Double Q-learning" (AAAI, arXiv:1509.06461).

    y = R + γⁿ Q̄(s', argmax_a Q(s', a))            L = E[w huber(Q(s, a) − y)]

R is the discounted sum of n rewards, Q̄ the target, and γⁿ is 0 where the episode was terminated within them: nothing
follows then. Where it was only cut off, it is not. w is 1, or what makes up for drawing some steps more often.

Shapes: N steps, A actions.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def bootstrapped(reward: Tensor, discount: Tensor, following: Tensor, chosen_by: Tensor) -> Tensor:
    """y (N,) of R (N,), γⁿ or 0 (N,), values Q̄(s', ·) (N, A), and those (N, A) whose largest chooses the action: the
    same as in DQN, the net's own in double DQN."""
    best = chosen_by.argmax(1, keepdim=True)
    return reward + discount * following.gather(1, best).squeeze(1)


def huber(errors: Tensor) -> Tensor:
    """Half the square of each error up to 1, and what goes on straight beyond, so that no error pulls harder than 1."""
    return F.smooth_l1_loss(errors, torch.zeros_like(errors), reduction="none")
