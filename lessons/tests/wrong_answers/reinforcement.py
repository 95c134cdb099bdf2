"""Wrong answers to the exercises of lesson 26."""


def discounted_returns__forwards(rewards, discount, last_value=0.0):
    found, later = [], last_value
    for reward in rewards:
        later = reward + discount * later
        found.append(later)
    return found


def discounted_returns__not_turned_round(rewards, discount, last_value=0.0):
    found, later = [], last_value
    for reward in reversed(rewards):
        later = reward + discount * later
        found.append(later)
    return found


def discounted_returns__cut_off_forgotten(rewards, discount, last_value=0.0):
    found, later = [], 0.0
    for reward in reversed(rewards):
        later = reward + discount * later
        found.append(later)
    return found[::-1]


def discounted_returns__last_value_not_discounted(rewards, discount, last_value=0.0):
    found, later = [], 0.0
    for reward in reversed(rewards):
        later = reward + discount * later
        found.append(later + last_value)
    return found[::-1]


def q_target__truncated_is_an_end(reward, next_q, terminated, truncated, discount):
    going = (~(terminated | truncated)).to(reward.dtype)
    return reward + discount * going * next_q.detach().amax(dim=1)


def q_target__no_end_at_all(reward, next_q, terminated, truncated, discount):
    return reward + discount * next_q.detach().amax(dim=1)


def q_target__mean_of_the_actions(reward, next_q, terminated, truncated, discount):
    return reward + discount * (~terminated).to(reward.dtype) * next_q.detach().mean(dim=1)


def q_target__with_gradient(reward, next_q, terminated, truncated, discount):
    return reward + discount * (~terminated).to(reward.dtype) * next_q.amax(dim=1)


def q_target__truncated_wins(reward, next_q, terminated, truncated, discount):
    going = (~terminated | truncated).to(reward.dtype)
    return reward + discount * going * next_q.detach().amax(dim=1)


def policy_loss__wrong_sign(logits, actions, advantages):
    return (advantages.detach() * logits.log_softmax(1).gather(1, actions[:, None])[:, 0]).mean()


def policy_loss__shapes_broadcast(logits, actions, advantages):
    return -(advantages.detach() * logits.log_softmax(1).gather(1, actions[:, None])).mean()


def policy_loss__probability_without_log(logits, actions, advantages):
    return -(advantages.detach() * logits.softmax(1).gather(1, actions[:, None])[:, 0]).mean()


def policy_loss__advantage_keeps_its_gradient(logits, actions, advantages):
    return -(advantages * logits.log_softmax(1).gather(1, actions[:, None])[:, 0]).mean()


def policy_loss__sum(logits, actions, advantages):
    return -(advantages.detach() * logits.log_softmax(1).gather(1, actions[:, None])[:, 0]).sum()
