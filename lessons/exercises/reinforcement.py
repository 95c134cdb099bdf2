"""Exercises of lesson 26, reinforcement. Put your code where `...` stands, then:
make check-lesson NAME=reinforcement"""

from torch import Tensor


def discounted_returns(rewards: list[float], discount: float, last_value: float = 0.0) -> list[float]:
    """The return at each step of one episode: its reward, plus `discount` times the return of the next step.

    After the last step comes `last_value`: 0 where the episode terminated, the value of the last observation where it
    was cut off.
    """
    ...


def q_target(reward: Tensor, next_q: Tensor, terminated: Tensor, truncated: Tensor, discount: float) -> Tensor:
    """What Q(s, a) should be after each of N steps, (N,), as in Q-learning.

    `reward` (N,), `next_q` (N, A) the values of all actions at the next observation, `terminated` and `truncated` bool
    (N,). A finished episode has nothing to come; one that was cut off does. No gradient flows through the target.
    """
    ...


def policy_loss(logits: Tensor, actions: Tensor, advantages: Tensor) -> Tensor:
    """The loss of REINFORCE, a number to be made small: the mean over N steps of −A log π(a | s).

    `logits` (N, A) of a softmax policy, `actions` int64 (N,) that were taken, `advantages` (N,). The advantages may
    come with a gradient; none may flow into them.
    """
    ...
