"""StyleGAN2's nets: their parts equal the paper's equations and SciPy's resampling."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import upfirdn

from torchworks.gans import StyleGAN2Discriminator, StyleGAN2Generator
from torchworks.gans.models.config import SIZES
from torchworks.gans.models.resampling import BINOMIAL, downsample2d, low_pass, upfirdn2d, upsample2d
from torchworks.gans.models.stylegan2 import (
    EqualizedConv2d,
    EqualizedLinear,
    MinibatchDeviation,
    Mixing,
    ModulatedConv2d,
    demodulation,
    per_sample_convolution,
    upsampling_convolution,
)
from torchworks.shared.testing import check_model

SMALL = {"width": 4, "max_channels": 8}


def generator(size: int = 16, channels: int = 1) -> StyleGAN2Generator:
    return StyleGAN2Generator(size, channels, latent_dim=6, style_dim=8, mapping_layers=2, **SMALL)


def awake(net: StyleGAN2Generator) -> StyleGAN2Generator:
    """With noise that counts and a mean of w that is not 0, as after training."""
    torch.manual_seed(1)
    with torch.no_grad():
        for layer in net.synthesis.layers:
            layer.strength.fill_(0.3)
        net.mapping.mean.normal_()
    return net.eval()


# ---- resampling ------------------------------------------------------------------------------------------


def by_scipy(x: torch.Tensor, taps: torch.Tensor, up: int, down: int, padding: tuple[int, int]) -> np.ndarray:
    """Padding follows the zeros between pixels, of which upfirdn adds none after the last."""
    k = len(taps)
    full = x.numpy()
    for axis in (2, 3):
        full = upfirdn(taps.numpy(), full, up=up, axis=axis)
        zeros = [(0, 0)] * 4
        zeros[axis] = (0, up - 1)
        full = np.pad(full, zeros)
        start, stop = k - 1 - padding[0], full.shape[axis] + padding[1] - (k - 1)
        full = full.take(range(start, stop, down), axis=axis)
    return full


@pytest.mark.parametrize(("up", "down", "padding"), [(1, 1, (3, 3)), (2, 1, (2, 1)), (1, 2, (1, 1)), (3, 2, (0, 2))])
def test_resampling_is_scipys_upfirdn_along_both_axes(up, down, padding):
    x = torch.randn(2, 3, 7, 9, dtype=torch.float64)
    taps = torch.tensor([0.5, -1.0, 2.0, 0.25], dtype=torch.float64)
    found = upfirdn2d(x, taps, up=up, down=down, padding=padding)
    np.testing.assert_allclose(found.numpy(), by_scipy(x, taps, up, down, padding), rtol=0, atol=1e-14)


def test_resampling_keeps_a_constant_within_the_edges_and_where_pixels_lie():
    taps = low_pass(BINOMIAL)
    x = torch.full((1, 2, 8, 8), 0.7)
    torch.testing.assert_close(upsample2d(x, taps)[..., 1:-1, 1:-1].unique(), torch.tensor([0.7]))
    torch.testing.assert_close(downsample2d(x, taps)[..., 1:-1, 1:-1].unique(), torch.tensor([0.7]))
    line = torch.arange(8.0).expand(1, 1, 8, 8)
    torch.testing.assert_close(upsample2d(line, taps)[0, 0, 5, 1:-1], torch.arange(0.25, 7.25, 0.5))


# ---- modulated convolution -------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("demodulate", [True, False])
def test_the_modulated_convolution_is_the_papers_sample_by_sample_and_a_grouped_one(kernel_size, demodulate):
    conv = ModulatedConv2d(5, 7, kernel_size, 8, demodulate=demodulate)
    x, w = torch.randn(3, 5, 6, 6), torch.randn(3, 8)
    weight, style = conv.weight * conv.scale, conv.to_style(w)
    each = per_sample_convolution(x, weight, style, demodulate=demodulate)
    torch.testing.assert_close(conv(x, w), each, rtol=1e-5, atol=1e-5)
    modulated = weight[None] * style[:, None, :, None, None]  # (N, out, in, k, k)
    if demodulate:
        modulated = modulated * demodulation(weight, style)[:, :, None, None, None]
    grouped = F.conv2d(x.reshape(1, 15, 6, 6), modulated.flatten(0, 1), padding=kernel_size // 2, groups=3)
    torch.testing.assert_close(grouped.view(3, 7, 6, 6), each, rtol=1e-5, atol=1e-5)


def test_the_upsampling_convolution_is_zeros_between_pixels_the_kernel_and_the_filter():
    x, weight, taps = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3), low_pass(BINOMIAL)
    filtered = upfirdn2d(x, taps * 2, up=2, padding=(3, 2))
    torch.testing.assert_close(
        upsampling_convolution(x, weight, taps), F.conv2d(filtered, weight), rtol=1e-4, atol=1e-4
    )


def test_demodulated_outputs_have_unit_variance_whatever_the_style():
    torch.manual_seed(0)
    conv = ModulatedConv2d(64, 16, 3, 8)
    w = torch.randn(4, 8) * 5
    assert conv(torch.randn(4, 64, 32, 32), w).std(dim=(2, 3)).mean().item() == pytest.approx(1, abs=0.05)


# ---- equalized learning rate -----------------------------------------------------------------------------


def test_weights_are_stored_with_unit_variance_and_used_scaled():
    torch.manual_seed(0)
    linear, conv = EqualizedLinear(100, 200, lr_multiplier=0.01, bias=1.0), EqualizedConv2d(50, 20, 3)
    assert linear.weight.std().item() == pytest.approx(100, rel=0.02)
    assert conv.weight.std().item() == pytest.approx(1, rel=0.02)
    x = torch.randn(5, 100)
    torch.testing.assert_close(linear(x), x @ linear.weight.T * 0.01 / 10 + 1, rtol=1e-4, atol=1e-4)
    image = torch.randn(2, 50, 4, 4)
    torch.testing.assert_close(conv(image), F.conv2d(image, conv.weight / math.sqrt(450), padding=1))


# ---- the whole nets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [16, 28])
def test_the_generator_keeps_the_models_contract(size):
    inputs = torch.randn(4, 6), torch.tensor([1.0, 0.7, 0.0, 0.3])
    check_model(lambda: awake(generator(size)), inputs, shapes=(4, 1, size, size))


def test_the_discriminator_keeps_the_models_contract():
    check_model(
        lambda: StyleGAN2Discriminator(16, 3, **SMALL),
        torch.randn(4, 3, 16, 16),
        shapes=(4,),
        batch_independent=False,
        export=False,
    )


@pytest.mark.parametrize("size", SIZES)
def test_every_promised_size_is_made_and_read(size):
    images = generator(size)(torch.randn(2, 6))
    assert images.shape == (2, 1, size, size)
    assert StyleGAN2Discriminator(size, 1, **SMALL)(images).shape == (2,)


def test_with_tanh_an_image_is_the_tanh_of_the_papers():
    plain = awake(generator())
    bounded = StyleGAN2Generator(16, 1, latent_dim=6, style_dim=8, mapping_layers=2, output="tanh", **SMALL).eval()
    bounded.load_state_dict(plain.state_dict())
    z = torch.randn(2, 6)
    torch.testing.assert_close(bounded(z), plain(z).tanh())


def test_there_are_two_styles_for_each_resolution():
    assert [generator(size).synthesis.styles for size in (16, 28, 32)] == [6, 6, 8]  # 2 log2(S) - 2 of 2^k


def test_the_length_of_a_latent_vector_makes_no_difference():
    net, z = awake(generator()), torch.randn(2, 6)
    torch.testing.assert_close(net(z * 10), net(z), rtol=1e-4, atol=1e-4)


def test_truncation_goes_straight_from_the_mean_image_to_the_untruncated_one():
    net, z = awake(generator()), torch.randn(2, 6)
    w = net.mapping(z)
    torch.testing.assert_close(net.truncated(w, torch.tensor([1.0, 1.0])), w)
    torch.testing.assert_close(net.truncated(w, torch.tensor([0.5, 0.0]))[0], (w[0] + net.mapping.mean) / 2)
    flat = net(z, torch.zeros(2))
    torch.testing.assert_close(flat[0], flat[1])
    torch.testing.assert_close(net(z, torch.ones(2)), net(z))


def test_the_mean_of_w_follows_training_and_nothing_else():
    net = generator()
    z, mixing = torch.randn(64, 6), Mixing(torch.randn(64, 6), torch.full((64,), 6), [torch.zeros(64, 1, 1, 1)] * 5)
    net.eval()(z, mixing=mixing)
    net.train()(z)
    assert not net.mapping.mean.any()
    net(z, mixing=mixing)
    torch.testing.assert_close(net.mapping.mean, 0.005 * net.mapping(z).mean(0))


def test_mixed_images_have_the_second_style_from_the_cut_on():
    net = awake(generator())
    z, other = torch.randn(3, 6), torch.randn(3, 6)
    mixing = Mixing(other, torch.tensor([1, 3, 6]), [layer.noise for layer in net.synthesis.layers])
    _, styles = net(z, mixing=mixing)
    w, w_other = net.mapping(z), net.mapping(other)
    for row, cut in enumerate((1, 3, 6)):
        torch.testing.assert_close(styles[row, :cut], w[row].expand(cut, -1))
        torch.testing.assert_close(styles[row, cut:], w_other[row].expand(6 - cut, -1))


def test_noise_is_fixed_in_evaluation_and_may_be_given():
    net, z = awake(generator()), torch.randn(2, 6)
    own = [layer.noise for layer in net.synthesis.layers]
    styles = net.styles(net.mapping(z))
    assert torch.equal(net.synthesis(styles, own), net(z))
    other = [torch.randn(2, 1, size, size) for size in net.synthesis.noise_sizes]
    assert not torch.allclose(net.synthesis(styles, other), net(z))


def test_the_deviation_over_a_group_is_one_more_feature_map():
    layer, x = MinibatchDeviation(), torch.randn(8, 3, 4, 4)
    found = layer(x)
    assert torch.equal(found[:, :3], x)
    groups = x.view(4, 2, 3, 4, 4).std(dim=0, correction=0).mean(dim=(1, 2, 3))  # images 0, 2, 4, 6 and 1, 3, 5, 7
    torch.testing.assert_close(found[:, 3], groups.repeat(4)[:, None, None].expand(8, 4, 4), rtol=1e-4, atol=1e-5)
    assert layer(x[:1])[:, 3].abs().max() <= 1e-3  # alone, nothing varies
    assert layer(torch.cat([x, x[:1]])).shape == (9, 4, 4, 4)  # groups of 3
