"""Advantages equal their definition, and stable-baselines3's, wherever episodes end."""

import numpy as np
import pytest
import torch

from torchworks.rl.algorithms.returns import advantages, normalized

GAMMA, LAMBDA = 0.9, 0.7


@pytest.fixture
def played() -> dict[str, torch.Tensor]:
    """Twelve steps of three environments: one never ends, one is terminated twice, one is cut off once."""
    random = torch.Generator().manual_seed(0)
    steps = {name: torch.randn(12, 3, generator=random) for name in ("reward", "value", "next_value")}
    terminated, truncated = torch.zeros(12, 3, dtype=torch.bool), torch.zeros(12, 3, dtype=torch.bool)
    terminated[3, 1] = terminated[11, 1] = truncated[5, 2] = True
    going = ~(terminated | truncated)[:-1]
    steps["next_value"][:-1][going] = steps["value"][1:][going]
    return steps | {"terminated": terminated, "truncated": truncated}


def by_definition(played: dict[str, torch.Tensor], t: int, n: int, trace: float) -> float:
    """The sum of discounted errors from step t to the end of the episode."""
    total, weight = 0.0, 1.0
    while t < len(played["reward"]):
        reward, value, after = (played[name][t, n].item() for name in ("reward", "value", "next_value"))
        ended, cut = (played[name][t, n].item() for name in ("terminated", "truncated"))
        total += weight * (reward + GAMMA * after * (not ended) - value)
        if ended or cut:
            break
        weight, t = weight * GAMMA * trace, t + 1
    return total


@pytest.mark.parametrize("trace", [0.0, LAMBDA, 1.0])
def test_advantages_are_the_discounted_errors_to_the_end_of_the_episode(played, trace):
    ours = advantages(**played, discount=GAMMA, trace=trace)
    wanted = [[by_definition(played, t, n, trace) for n in range(3)] for t in range(12)]
    torch.testing.assert_close(ours, torch.tensor(wanted), atol=1e-5, rtol=0)


def test_with_a_trace_of_one_an_ended_episode_gets_its_discounted_return_less_the_value(played):
    ours = advantages(**played, discount=GAMMA, trace=1.0)
    reward, value = played["reward"][:4, 1], played["value"][0, 1]
    gained = sum(reward[t] * GAMMA**t for t in range(4))
    assert ours[0, 1].item() == pytest.approx((gained - value).item(), abs=1e-5)


def test_a_time_limit_is_no_failure(played):
    """The value of the last observation counts where an episode was cut off, and not where it was terminated."""
    ours = advantages(**played, discount=GAMMA, trace=LAMBDA)
    failed = advantages(
        **played | {"terminated": played["terminated"] | played["truncated"]}, discount=GAMMA, trace=LAMBDA
    )
    missing = GAMMA * played["next_value"][5, 2]
    assert (ours - failed)[5, 2].item() == pytest.approx(missing.item(), abs=1e-5)
    assert torch.equal(ours[6:], failed[6:])
    assert torch.equal(ours[:, :2], failed[:, :2])


def test_they_equal_those_of_stable_baselines3(played):
    from gymnasium.spaces import Box, Discrete
    from stable_baselines3.common.buffers import RolloutBuffer

    buffer = RolloutBuffer(12, Box(-1, 1, (1,)), Discrete(2), "cpu", gae_lambda=LAMBDA, gamma=GAMMA, n_envs=3)
    cut = played["truncated"].numpy()
    # that library adds what a cut-off episode was worth to its last reward, before the buffer gets it
    buffer.rewards[:] = (played["reward"] + GAMMA * played["next_value"] * played["truncated"]).numpy()
    buffer.values[:] = played["value"].numpy()
    ended = played["terminated"].numpy() | cut
    buffer.episode_starts[1:] = ended[:-1]
    buffer.compute_returns_and_advantage(played["next_value"][-1], ended[-1].astype(np.float32))
    ours = advantages(**played, discount=GAMMA, trace=LAMBDA)
    torch.testing.assert_close(ours, torch.from_numpy(buffer.advantages), atol=1e-5, rtol=0)


def test_normalized_advantages_have_mean_0_and_standard_deviation_1():
    found = normalized(torch.randn(100) * 3 + 7)
    assert found.mean().item() == pytest.approx(0, abs=1e-6)
    assert found.std().item() == pytest.approx(1, abs=1e-5)
    assert torch.equal(normalized(torch.tensor([2.0])), torch.tensor([2.0]))
