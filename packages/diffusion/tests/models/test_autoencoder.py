"""The autoencoder: diffusers' net, and every image gets back the size it had."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from torchworks.diffusion.models import autoencoder
from torchworks.diffusion.models.autoencoder import AutoencoderKL
from torchworks.shared.config import UserError
from torchworks.shared.testing import check_model, randomize

SMALL = {"widths": (8, 16, 16), "groups": 4}


def images(size: int = 8, rows: int = 3) -> torch.Tensor:
    return torch.randn(rows, 1, size, size, generator=torch.Generator().manual_seed(size))


def test_it_keeps_the_models_contract():
    # the rows of `quant_conv` that make log variances say nothing of the reconstructed means
    check_model(lambda: AutoencoderKL(1, **SMALL), images(), shapes=(3, 1, 8, 8), unused=["*.to_k.bias"], export=False)


@pytest.mark.parametrize("size", [1, 8, 15, 28, 31])
def test_every_image_gets_back_the_size_it_had(size: int):
    net, x = AutoencoderKL(1, **SMALL), images(size)
    mean, logvar = net.encode(x)
    assert mean.shape == logvar.shape == (3, 4, -(-size // 4), -(-size // 4))
    assert net.decode(mean, (size, size)).shape == net(x).shape == x.shape


def test_log_variances_stay_within_minus_30_and_20():
    net = randomize(AutoencoderKL(1, **SMALL))
    with torch.no_grad():
        net.quant_conv.weight.mul_(1e3)
        _, logvar = net.encode(images())
    assert (float(logvar.min()), float(logvar.max())) == (-30.0, 20.0)


@pytest.mark.parametrize("size", [(4, 8), (9, 8), (8, 12)])
def test_a_size_that_the_latents_cannot_have_is_refused(size: tuple[int, int]):
    net = AutoencoderKL(1, **SMALL)
    with pytest.raises(UserError, match=r"5 to 8 pixels high and 5 to 8 wide"):
        net.decode(torch.zeros(1, 4, 2, 2), size)


def test_the_divergence_is_that_of_two_normal_distributions():
    mean, logvar = torch.randn(2, 3, 4, 2, 2, dtype=torch.float64)
    standard = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = kl_divergence(Normal(mean, (logvar / 2).exp()), standard).sum((1, 2, 3))
    assert torch.allclose(autoencoder.kl_divergence(mean, logvar), expected, atol=1e-12)
