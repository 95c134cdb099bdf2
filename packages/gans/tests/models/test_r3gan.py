"""R3GAN's nets: start as the identity, scale, smooth resampling, penalties twice differentiable."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from torchworks.gans import R3GANDiscriminator, R3GANGenerator, squared_slopes
from torchworks.gans.models.config import SIZES
from torchworks.gans.models.r3gan import ResidualBlock, downsample, upsample
from torchworks.shared.testing import check_model

SMALL = {"width": 8, "max_channels": 16, "blocks": 1, "group_size": 4}


@pytest.mark.parametrize("size", [16, 28])
def test_the_generator_keeps_the_models_contract(size):
    check_model(lambda: R3GANGenerator(size, 1, latent_dim=8, **SMALL), torch.randn(4, 8), shapes=(4, 1, size, size))


@pytest.mark.parametrize("size", [16, 28])
def test_the_discriminator_keeps_the_models_contract(size):
    check_model(lambda: R3GANDiscriminator(size, 3, **SMALL), torch.randn(4, 3, size, size), shapes=(4,))


@pytest.mark.parametrize("size", SIZES)
def test_every_promised_size_is_made_and_read(size):
    images = R3GANGenerator(size, 1, latent_dim=3, **SMALL)(torch.randn(2, 3))
    assert images.shape == (2, 1, size, size)
    assert R3GANDiscriminator(size, 1, **SMALL)(images).shape == (2,)


def test_with_tanh_an_image_is_the_tanh_of_the_papers():
    plain = R3GANGenerator(16, 1, latent_dim=3, **SMALL)
    bounded = R3GANGenerator(16, 1, latent_dim=3, output="tanh", **SMALL)
    bounded.load_state_dict(plain.state_dict())
    z = torch.randn(2, 3)
    torch.testing.assert_close(bounded(z), plain(z).tanh())


def test_a_block_starts_as_the_identity_and_its_first_layers_small():
    torch.manual_seed(0)
    block = ResidualBlock(64, expansion=2, group_size=16, blocks=16)
    x = torch.randn(2, 64, 8, 8)
    assert torch.equal(block(x), x)
    gain = (2 / 1.04) ** 0.5 * 16**-0.25
    assert block.expand.weight.std().item() == pytest.approx(gain / 64**0.5, rel=0.05)
    assert block.mix.weight.std().item() == pytest.approx(gain / (16 * 9) ** 0.5, rel=0.05)


def test_nets_have_no_normalization():
    for net in R3GANGenerator(32, 3, **SMALL), R3GANDiscriminator(32, 3, **SMALL):
        assert not list(net.buffers())
        assert not any("Norm" in type(module).__name__ for module in net.modules())


def test_upsampling_is_nearest_neighbor_smoothed_by_1_2_1():
    x = torch.randn(2, 3, 6, 6)
    nearest = F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (1, 1, 1, 1), mode="replicate")
    torch.testing.assert_close(upsample(x), smoothed(nearest))


def test_downsampling_is_1_2_1_then_the_mean_of_2_by_2():
    x = torch.randn(2, 3, 8, 8)
    inner = F.avg_pool2d(smoothed(F.pad(x, (1, 1, 1, 1), mode="replicate")), 2)
    ours = downsample(x)
    assert ours.shape == (2, 3, 4, 4)
    torch.testing.assert_close(ours[..., 1:-1, 1:-1], inner[..., 1:-1, 1:-1])


def smoothed(x: torch.Tensor) -> torch.Tensor:
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    return F.conv2d(x, torch.outer(kernel, kernel).expand(3, 1, 3, 3), groups=3)


def test_between_4_and_7_pixels_means_are_put_between_and_left_out_again():
    x = torch.randn(2, 3, 4, 4)
    seven = upsample(x, to_odd=True)
    assert seven.shape == (2, 3, 7, 7)
    torch.testing.assert_close(seven[..., ::2, ::2], x)
    torch.testing.assert_close(seven[..., 1::2, ::2], (x[..., 1:, :] + x[..., :-1, :]) / 2)
    torch.testing.assert_close(downsample(seven)[..., 1:-1, 1:-1], smoothed(seven)[..., 1:-1:2, 1:-1:2])


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("resample", [upsample, downsample, partial(upsample, to_odd=True)])
def test_resampling_keeps_a_constant(resample, size):
    x = torch.full((1, 2, size, size), 0.7)
    torch.testing.assert_close(resample(x).unique(), torch.tensor([0.7]))


def test_penalties_train_every_weight_of_the_discriminator():
    """All but the biases, which do not change the slope of a piecewise linear net."""
    torch.manual_seed(0)
    net = R3GANDiscriminator(16, 1, **SMALL)
    for stage in net.stages:
        for block in stage:
            torch.nn.init.normal_(block.reduce.weight, std=0.1)  # it starts at zero and hides the block
    images = torch.randn(4, 1, 16, 16, requires_grad=True)
    squared_slopes(net(images), images).mean().backward()
    for name, parameter in net.named_parameters():
        if name.endswith("weight"):
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.any(), name
