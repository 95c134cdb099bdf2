"""The critic of WGAN-GP: images one by one, and a slope that can be penalized."""

import pytest
import torch
import torch.nn.functional as F

from torchworks.gans import WGANCritic
from torchworks.shared.testing import check_model


@pytest.mark.parametrize(
    ("size", "norm", "kernel"),
    [(16, "layer", 4), pytest.param(28, "layer", 5, marks=pytest.mark.long), (28, "none", 4)],
)
def test_the_critic_keeps_the_models_contract(size, norm, kernel):
    options = {"width": 4, "kernel_size": kernel, "norm": norm}
    check_model(lambda: WGANCritic(size, 1, **options), (torch.randn(4, 1, size, size),), shapes=(4,))


def test_an_image_does_not_feel_its_neighbors():
    torch.manual_seed(0)
    net, x = WGANCritic(16, 1, width=4), torch.randn(4, 1, 16, 16)
    torch.testing.assert_close(net(x)[1:2], net(x[1:2]))


def test_layer_norm_is_over_all_maps_of_an_image_with_a_gain_and_a_bias_for_each():
    torch.manual_seed(0)
    net, x = WGANCritic(16, 1, width=4), torch.randn(3, 1, 16, 16)
    conv, norm, _ = net.trunk[1]
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    h = conv(net.trunk[0](x))
    expected = F.layer_norm(h, h.shape[1:]) * norm.weight[:, None, None] + norm.bias[:, None, None]
    torch.testing.assert_close(norm(h), expected)
    assert len(net.trunk[0]) == 2  # none in the first stage
