"""The net of airbench: the contract of models, whitened patches, and what its start promises."""

import pytest
import torch
from torch.nn import functional as F

from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.airbench import AirNet, airbench94
from torchworks.shared.testing import check_model

NARROW = (16, 24, 32)


def smooth_images(n: int = 64, channels: int = 3) -> torch.Tensor:
    """Images whose neighbouring pixels and whose channels are alike, around a mean that is not 0."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(n, channels, 6, 6, generator=generator) + torch.randn(n, 1, 6, 6, generator=generator)
    return 0.3 + 0.2 * F.interpolate(coarse, (32, 32), mode="bicubic") + 0.02 * torch.randn(n, channels, 32, 32)


@pytest.mark.parametrize("size", [9, 32])
def test_it_keeps_the_contract_of_models(size: int):
    check_model(
        lambda: airbench94(num_classes=10, in_channels=1, widths=NARROW),
        torch.randn(4, 1, size, size),
        shapes=(4, 10),
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_whitened_patches_have_no_mean_and_unit_covariance(channels: int):
    net, images = AirNet(widths=NARROW, in_channels=channels), smooth_images(channels=channels)
    net.whiten(images)
    half = 4 * channels
    patches = F.conv2d(images, net.whitening.weight, net.whitening.bias).permute(1, 0, 2, 3).flatten(1)  # (8·C, P)
    torch.testing.assert_close(patches[:half], -patches[half:], rtol=1e-3, atol=1e-3)
    assert patches.mean(1).abs().max() < 1e-3
    raw = F.unfold(images, 2).transpose(0, 1).flatten(1)
    before, after = torch.linalg.eigvalsh(raw.cov()), torch.linalg.eigvalsh(patches[:half].cov())
    torch.testing.assert_close(after.sort().values, (before / (before + 1e-4)).sort().values, rtol=0.01, atol=0.01)
    assert before.max() / before.min() > 100
    assert after.min() > 0.5
    assert after.max() < 1.001


def test_images_without_variation_whiten_to_finite_numbers():
    net = AirNet(widths=NARROW)
    net.whiten(torch.ones(4, 3, 32, 32))
    assert all(parameter.isfinite().all() for parameter in net.parameters())


def test_the_kernels_of_the_whitening_and_the_gains_of_norms_are_not_trained():
    net = airbench94(num_classes=10, widths=NARROW)
    fixed = {name for name, parameter in net.named_parameters() if not parameter.requires_grad}
    norms = {f"blocks.{block}.norm{i}.weight" for block in range(3) for i in (1, 2)}
    assert fixed == {"whitening.weight"} | norms


def test_the_bias_of_the_whitening_gets_a_gradient_only_where_asked_and_the_answer_is_the_same():
    net, x = airbench94(num_classes=10, widths=NARROW).eval(), torch.randn(2, 3, 32, 32)
    answers, gradients = [], []
    for net.train_whitening in (True, False):
        net.zero_grad()
        answers.append(net(x))
        answers[-1].square().sum().backward()
        gradients.append(net.whitening.bias.grad)
    assert torch.equal(*answers)
    assert gradients[0].any()
    assert gradients[1] is None


def test_every_convolution_of_a_block_starts_by_copying_its_inputs():
    net, x = airbench94(widths=NARROW), torch.randn(2, 24, 8, 8)
    assert torch.equal(net.blocks[1].conv2(x)[:, :24], x)
    assert torch.equal(net.blocks[2].conv1(x)[:, :24], x)
    assert net.blocks[2].conv1(x)[:, 24:].std() > 0.1


@pytest.mark.parametrize("widths", [NARROW, (8, 8, 4)])
def test_the_pyramid_is_as_stated_and_ends_with_the_features(widths: tuple[int, int, int]):
    net, x = airbench94(widths=widths, num_classes=0).eval(), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        maps, features = net.forward_pyramid(x), net.forward_features(x)
    assert [level.stride for level in net.pyramid] == [2, 4, 8]
    assert [tuple(m.shape) for m in maps] == [(1, level.channels, 31 // level.stride, 31 // level.stride)
                                              for level in net.pyramid]  # fmt: skip
    assert torch.equal(maps[-1], features)
    assert torch.equal(net(x), features.amax((2, 3)))
    assert net.num_features == widths[-1]


def test_a_new_classifier_keeps_the_features():
    net, x = airbench94(num_classes=10, widths=NARROW).eval(), torch.randn(2, 3, 32, 32)
    features = net.forward_features(x)
    net.reset_classifier(7)
    assert net(x).shape == (2, 7)
    assert torch.equal(net.forward_features(x), features)


def test_it_is_built_by_name_for_small_images_whatever_is_asked():
    for small_images in (False, True):
        net = create_model("airbench94", num_classes=5, widths=NARROW, small_images=small_images)
        assert net(torch.randn(1, 3, 32, 32)).shape == (1, 5)
