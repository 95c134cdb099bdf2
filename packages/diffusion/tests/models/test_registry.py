"""Nets by name and by configuration."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from torchworks.diffusion.models import registry
from torchworks.diffusion.models.config import (
    AutoencoderConfig,
    ConditionalUNetConfig,
    DiTConfig,
    TextEncoderConfig,
    UNetConfig,
)
from torchworks.shared.config import UserError
from torchworks.shared.testing import randomize

X, TIME = torch.randn(2, 3, 16, 16), torch.rand(2)


@pytest.mark.parametrize("name", registry.ARCHITECTURES)
def test_a_net_of_a_configuration_is_told_time_and_class(name: str):
    config = registry.ARCHITECTURES[name]()
    assert registry.architecture_of(config) == name
    assert registry.net_of(config, 3, num_classes=4)(X, TIME, torch.tensor([0, 4])).shape == X.shape
    assert registry.net_of(config, 3)(X, TIME).shape == X.shape


def test_a_text_to_image_net_of_configurations_reads_a_text_as_tokens_and_as_one_vector():
    encoder = registry.text_encoder_of(TextEncoderConfig(embed_dim=16), vocabulary=13, longest=8)
    tokens, mask = torch.randint(0, 13, (2, 8)), torch.ones(2, 8, dtype=torch.bool)
    config = ConditionalUNetConfig(widths=(16, 32), fold=1)
    net = registry.conditional_unet_of(config, 3, 16, image_size=16, vector_dim=8 * 16)
    states = encoder(tokens, mask)
    assert net(X, TIME, states, mask, states.flatten(1)).shape == X.shape
    maps = [tuple(value.shape) for name, value in net.named_parameters() if name.endswith("position_map")]
    assert set(maps) == {(1, 16, 16, 16), (1, 32, 8, 8)}


def test_an_autoencoder_of_a_configuration_makes_latents_four_times_smaller():
    mean, _ = registry.autoencoder_of(AutoencoderConfig(), 3).encode(X)
    assert mean.shape == (2, 4, 4, 4)


@pytest.mark.parametrize("config", [UNetConfig(dropout=0.5), DiTConfig(dropout=0.5)])
def test_dropout_is_for_training_alone(config: registry.NetConfig):
    net = randomize(registry.net_of(config, 3))
    assert torch.equal(net.eval()(X, TIME), net(X, TIME))
    assert not torch.equal(net.train()(X, TIME), net(X, TIME))


@pytest.mark.parametrize(
    "net",
    [
        registry.net_of(UNetConfig(), 3, num_classes=4),
        registry.net_of(DiTConfig(), 3, num_classes=4),
        registry.conditional_unet_of(ConditionalUNetConfig(), 3, 8, image_size=16),
        registry.autoencoder_of(AutoencoderConfig(), 3),
        registry.text_encoder_of(TextEncoderConfig(), 5, 4),
    ],
    ids=lambda net: type(net).__name__,
)
def test_parameters_are_all_that_a_net_has_and_load_in_any_order(net: nn.Module):
    """A moving average of the parameters is a whole net."""
    assert not list(net.buffers())
    state = dict(reversed(list(randomize(net).state_dict().items())))
    copy = randomize(deepcopy(net), seed=1)
    copy.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), copy.parameters(), strict=True))


def test_an_unknown_net_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="Did you mean 'unet'"):
        registry.find_model("unett")


def test_sizes_out_of_their_limits_are_refused():
    with pytest.raises(UserError, match=r"--net\.depth must be"):
        DiTConfig(depth=0)
    with pytest.raises(UserError, match=r"--net\.dropout must be"):
        UNetConfig(dropout=1.5)
