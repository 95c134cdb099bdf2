"""Losses equal their papers' equations, case by case."""

import pytest
import torch

from torchworks.rl.algorithms.a2c import actor_loss, critic_loss
from torchworks.rl.algorithms.c51 import cross_entropy, projected, support
from torchworks.rl.algorithms.dqn import bootstrapped, huber
from torchworks.rl.algorithms.ppo import clipped_loss, divergence, share_clipped
from torchworks.rl.algorithms.reinforce import reinforce_loss


@pytest.mark.parametrize(
    ("ratio", "advantage", "wanted", "slope"),
    [
        (1.5, 2.0, -2.4, 0.0),  # gained enough: cut off at 1.2, and no more to gain
        (0.5, 2.0, -1.0, -2.0),  # lost: made up for without limit
        (1.5, -2.0, 3.0, 2.0),
        (0.5, -2.0, 1.6, 0.0),
        (1.1, 2.0, -2.2, -2.0),
    ],
)
def test_ppo_takes_away_what_is_gained_beyond_the_clip(ratio, advantage, wanted, slope):
    value = torch.tensor([ratio], requires_grad=True)
    loss = clipped_loss(value, torch.tensor([advantage]), clip=0.2)
    loss.backward()
    assert loss.item() == pytest.approx(wanted)
    assert value.grad.item() == pytest.approx(slope)


def test_what_ppo_logs():
    assert share_clipped(torch.tensor([0.7, 0.9, 1.1, 1.3]), clip=0.2).item() == 0.5
    assert divergence(torch.zeros(3)).item() == 0
    p, q = torch.tensor([0.3, 0.7]), torch.tensor([0.4, 0.6])
    log = (q / p).log()
    exact = (p * (p / q).log()).sum()
    assert (p * (log.exp() - 1 - log)).sum().item() == pytest.approx(exact.item(), abs=1e-6)


def test_reinforce_raises_the_probability_of_what_turned_out_well():
    log_probability = torch.tensor([-1.0, -2.0], requires_grad=True)
    reinforce_loss(log_probability, torch.tensor([3.0, -5.0])).backward()
    assert log_probability.grad.tolist() == [-1.5, 2.5]


def test_a2c_adds_entropy_and_the_critic_half_the_squared_error():
    log, advantage, entropy = torch.tensor([-1.0, -2.0]), torch.tensor([3.0, 1.0]), torch.tensor([0.5, 0.7])
    assert actor_loss(log, advantage, entropy, entropy_weight=0.1).item() == pytest.approx(2.5 - 0.06)
    assert critic_loss(torch.tensor([1.0, 4.0]), torch.tensor([3.0, 4.0])).item() == pytest.approx(1.0)


def test_double_q_learning_lets_the_net_choose_and_the_target_value():
    reward, discount = torch.tensor([1.0, 2.0]), torch.tensor([0.9, 0.0])
    target, net = torch.tensor([[5.0, 7.0], [1.0, 1.0]]), torch.tensor([[3.0, 2.0], [1.0, 9.0]])
    assert bootstrapped(reward, discount, target, target).tolist() == pytest.approx([1 + 0.9 * 7, 2.0])
    assert bootstrapped(reward, discount, target, net).tolist() == pytest.approx([1 + 0.9 * 5, 2.0])
    assert huber(torch.tensor([0.5, -3.0])).tolist() == pytest.approx([0.125, 2.5])


def by_loop(probability: list[float], reward: float, discount: float, values: list[float]) -> list[float]:
    """Algorithm 1 of the paper, value by value."""
    step, found = values[1] - values[0], [0.0] * len(values)
    for p, z in zip(probability, values, strict=True):
        place = (min(max(reward + discount * z, values[0]), values[-1]) - values[0]) / step
        below, above = int(place // 1), int(-(-place // 1))
        if below == above:
            found[below] += p
        else:
            found[below] += p * (above - place)
            found[above] += p * (place - below)
    return found


@pytest.mark.parametrize(("reward", "discount"), [(0.3, 0.9), (0.0, 1.0), (100.0, 0.9), (-100.0, 0.5), (1.7, 0.0)])
def test_the_distribution_of_what_follows_is_moved_and_shared_between_neighbors(reward, discount):
    values = support(-2.0, 2.0, 9)
    probability = torch.rand(1, 9, generator=torch.Generator().manual_seed(0))
    probability /= probability.sum()
    ours = projected(probability, torch.tensor([reward]), torch.tensor([discount]), values)[0]
    wanted = by_loop(probability[0].tolist(), reward, discount, values.tolist())
    torch.testing.assert_close(ours, torch.tensor(wanted), atol=1e-6, rtol=0)
    assert ours.sum().item() == pytest.approx(1)


def test_c51_is_least_where_the_distribution_is_the_target():
    target = torch.tensor([[0.2, 0.5, 0.3]])
    least = cross_entropy(target.log(), target)
    other = cross_entropy(torch.tensor([[0.3, 0.4, 0.3]]).log(), target)
    assert least < other
