"""One way to answer the exercises of lesson 26."""

from torch import Tensor


def discounted_returns(rewards: list[float], discount: float, last_value: float = 0.0) -> list[float]:
    found, later = [], last_value
    for reward in reversed(rewards):
        later = reward + discount * later
        found.append(later)
    return found[::-1]


def q_target(reward: Tensor, next_q: Tensor, terminated: Tensor, truncated: Tensor, discount: float) -> Tensor:
    going = (~terminated).to(reward.dtype)
    return reward + discount * going * next_q.detach().amax(dim=1)


def policy_loss(logits: Tensor, actions: Tensor, advantages: Tensor) -> Tensor:
    log_probability = logits.log_softmax(dim=1).gather(1, actions[:, None])[:, 0]
    return -(advantages.detach() * log_probability).mean()
