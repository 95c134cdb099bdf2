"""Noise that lasts: how strong it is, how it falls with the frequency, and that it is the same again."""

import pytest
import torch

from torchworks.rl.actor_critic.noise import ColoredNoise, colored


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("length", [199, 200])
def test_each_number_is_standard_normal_and_power_falls_with_the_frequency(beta: float, length: int):
    made = colored(4000, length, beta=beta, random=torch.Generator().manual_seed(0))
    assert made.var(0).mean().item() == pytest.approx(1.0, abs=0.05)
    assert (made.var(0) - 1).abs().max() < 0.15
    power = torch.fft.rfft(made).abs().square().mean(0)[1:99]
    frequency = torch.fft.rfftfreq(length)[1:99]
    x, y = frequency.log() - frequency.log().mean(), power.log() - power.log().mean()
    assert ((x * y).sum() / (x * x).sum()).item() == pytest.approx(-beta, abs=0.05)


def test_pink_noise_keeps_its_direction_and_white_noise_does_not():
    for beta, low, high in ((0.0, -0.05, 0.05), (1.0, 0.5, 0.9)):
        made = colored(500, 1000, beta=beta, random=torch.Generator().manual_seed(0))
        assert low < (made[:, 1:] * made[:, :-1]).mean() < high


def test_it_depends_on_seed_part_and_step_alone():
    one, other = (ColoredNoise(2, 3, beta=1.0, length=5, seed=4) for _ in range(2))
    shown = [one.at(step).clone() for step in range(12)]
    assert shown[0].shape == (2, 3)
    assert torch.equal(other.at(11), shown[11])
    assert torch.equal(other.at(3), shown[3])
    assert not torch.equal(other.at(3, "warm-up"), shown[3])
    assert not torch.equal(shown[0], shown[5])
    assert not torch.equal(ColoredNoise(2, 3, beta=1.0, length=5, seed=5).at(0), shown[0])
