"""Autoencoder and VAE: the terms of the bound against torch.distributions, and the contract of every net."""

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from torchworks.cnn_vision.models.autoencoder import Autoencoder, stages
from torchworks.cnn_vision.models.vae import divergence, interpolated, log_likelihood
from torchworks.shared.testing import check_model


@pytest.fixture
def normal():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


def test_the_divergence_is_that_of_torch_distributions(normal):
    mean, log_variance = normal(5, 3), normal(5, 3)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(divergence(mean, log_variance), expected)


def test_the_likelihood_is_that_of_torch_distributions(normal):
    logits, images = normal(4, 2, 3, 3), normal(4, 2, 3, 3).sigmoid().round()
    expected = Bernoulli(logits=logits).log_prob(images).flatten(1).sum(1)
    torch.testing.assert_close(log_likelihood(logits, images), expected)


def test_the_likelihood_of_grey_pixels_is_the_mean_over_black_and_white_images(normal):
    logits, grey = normal(1, 1, 1, 2), torch.tensor([[[[0.3, 0.8]]]])
    expected = torch.zeros(1)
    for a in (0.0, 1.0):
        for b in (0.0, 1.0):
            chance = (0.3 if a else 0.7) * (0.8 if b else 0.2)
            expected += chance * log_likelihood(logits, torch.tensor([[[[a, b]]]]))
    torch.testing.assert_close(log_likelihood(logits, grey), expected)


def test_codes_between_two_start_and_end_there_and_keep_their_length(normal):
    start, end = normal(2, 16), normal(2, 16)
    path = interpolated(start, end, 5)
    torch.testing.assert_close(path[:, 0], start)
    torch.testing.assert_close(path[:, -1], end, atol=1e-4, rtol=1e-4)
    lengths = path.norm(dim=2)
    torch.testing.assert_close(lengths[:, 2], (lengths[:, 0] + lengths[:, -1]) / 2, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (28, 1)])
def test_the_nets_keep_what_every_net_promises(size, channels, normal):
    images = normal(3, channels, size, size).sigmoid()
    shapes = [(3, channels, size, size), (3, 5)]
    check_model(lambda: Autoencoder(size, channels=channels, code=5, width=4), images, shapes=shapes)
    assert stages(size, 4)[1] in (4, 7)
