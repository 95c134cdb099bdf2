"""Adversarial losses and gradient penalties against their formulas."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from torchworks.gans.adversarial.losses import LOSSES, squared_slopes

REAL, FAKE = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.25, 1.5])


def test_hinge_counts_only_what_is_within_the_margin():
    loss = LOSSES["hinge"]
    by_hand = (0 + 0.5 + 2) / 3 + (0 + 1.25 + 2.5) / 3
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(by_hand)
    assert loss.generator(None, FAKE).item() == pytest.approx(-(-3 + 0.25 + 1.5) / 3)


def test_non_saturating_is_binary_cross_entropy_with_the_generators_labels_swapped():
    loss = LOSSES["non-saturating"]
    expected = F.binary_cross_entropy_with_logits(REAL, torch.ones(3))
    expected += F.binary_cross_entropy_with_logits(FAKE, torch.zeros(3))
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), expected)
    torch.testing.assert_close(loss.generator(None, FAKE), F.binary_cross_entropy_with_logits(FAKE, torch.ones(3)))


def test_least_squares_is_half_the_squared_distance_from_one_and_zero():
    loss = LOSSES["least-squares"]
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx((1 + 0.25 + 4) / 6 + (9 + 0.0625 + 2.25) / 6)
    assert loss.generator(None, FAKE).item() == pytest.approx((16 + 0.5625 + 0.25) / 6)


def test_wasserstein_is_the_difference_of_means():
    loss = LOSSES["wasserstein"]
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(-1.25 / 3 - 0.5)
    assert loss.generator(None, FAKE).item() == pytest.approx(1.25 / 3)


def test_relativistic_compares_each_real_image_with_one_generated():
    loss = LOSSES["relativistic"]
    expected = -torch.log(torch.sigmoid(REAL - FAKE)).mean()
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), expected)
    torch.testing.assert_close(loss.generator(REAL, FAKE), -torch.log(torch.sigmoid(FAKE - REAL)).mean())


def test_relativistic_does_not_care_for_a_constant_added_to_all_logits():
    loss = LOSSES["relativistic"]
    torch.testing.assert_close(loss.discriminator(REAL + 7, FAKE + 7), loss.discriminator(REAL, FAKE))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_fp32_whatever_the_logits_are_and_only_relative_ones_need_real_logits(name):
    loss = LOSSES[name]
    real, fake = REAL.bfloat16(), FAKE.bfloat16()
    assert loss.discriminator(real, fake).dtype == torch.float32
    assert loss.generator(real if loss.relative else None, fake).dtype == torch.float32


@pytest.mark.parametrize("name", LOSSES)
def test_each_player_wants_the_opposite_of_a_generated_image(name):
    loss, fake = LOSSES[name], torch.zeros(4, requires_grad=True)
    (for_d,) = torch.autograd.grad(loss.discriminator(torch.zeros(4), fake), fake)
    (for_g,) = torch.autograd.grad(loss.generator(torch.zeros(4), fake), fake)
    assert (for_d >= 0).all()
    assert (for_g < 0).all()


def test_the_slope_of_a_linear_discriminator_is_its_weight():
    images = torch.randn(5, 2, 4, 4, requires_grad=True)
    linear = nn.Linear(32, 1)
    slopes = squared_slopes(linear(images.flatten(1)).squeeze(1), images)
    torch.testing.assert_close(slopes, linear.weight.square().sum().expand(5))


def test_a_penalty_reaches_the_weights_as_finite_differences_say():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Softplus(), nn.Flatten(), nn.Linear(12, 1)).double()
    x = torch.randn(3, 1, 4, 4, dtype=torch.float64)

    def penalty():
        images = x.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(net(images).sum(), images, create_graph=True)
        return slopes.square().sum(dim=(1, 2, 3)).mean()

    ours = x.clone().requires_grad_()
    torch.testing.assert_close(squared_slopes(net(ours).squeeze(1), ours).mean().double(), penalty(), rtol=1e-5, atol=0)
    weight = net[0].weight
    (gradient,) = torch.autograd.grad(squared_slopes(net(ours).squeeze(1), ours).mean(), weight)
    with torch.no_grad():
        weight[0, 0, 0, 0] += 1e-5
    above = penalty().item()
    with torch.no_grad():
        weight[0, 0, 0, 0] -= 2e-5
    below = penalty().item()
    assert gradient[0, 0, 0, 0].item() == pytest.approx((above - below) / 2e-5, rel=1e-4)
