"""ConvNeXt: equal to torchvision's, and what the options promise."""

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.convnext import CNBlockConfig

from torchworks.cnn_vision.models.backbone import Level
from torchworks.cnn_vision.models.convnext import ConvNeXt, ConvNeXtSize, convnext_tiny
from torchworks.shared.testing import check_model, check_parity, randomize

MICRO = ConvNeXtSize(channels=(8, 12, 16, 24), depths=(1, 1, 2, 1))


def micro(**options) -> ConvNeXt:
    return ConvNeXt(MICRO, **{"num_classes": 5, "layer_scale": 0.5} | options)


def torchvisions_micro(stochastic_depth: float) -> nn.Module:
    following = (*MICRO.channels[1:], None)
    stages = [CNBlockConfig(*stage) for stage in zip(MICRO.channels, following, MICRO.depths, strict=True)]
    return torchvision.models.ConvNeXt(stages, stochastic_depth, num_classes=5)


def test_outputs_and_gradients_of_a_small_net_are_torchvisions_with_blocks_skipped_alike():
    theirs = randomize(torchvisions_micro(stochastic_depth=0.5))
    check_parity(micro(stochastic_depth=0.5), theirs, torch.randn(4, 3, 64, 64))


def test_initial_weights_are_distributed_as_torchvisions():
    torch.manual_seed(0)
    ours = convnext_tiny(num_classes=5).state_dict()
    theirs = torchvision.models.convnext_tiny(weights=None, num_classes=5).state_dict()
    for key, value in theirs.items():
        spread = value.std() if value.numel() > 1 else torch.tensor(0.0)
        assert (ours[key].mean() - value.mean()).abs() <= 0.2 * spread + 1e-7, key
        assert ours[key].std() == pytest.approx(spread.item(), rel=0.1, abs=1e-7), key


def test_small_images_keep_the_contract_of_models():
    check_model(
        lambda: micro(small_images=True, in_channels=1, num_classes=10), torch.randn(4, 1, 8, 8), shapes=(4, 10)
    )


def test_convnext_tiny_trains_on_8_by_8_images():
    net = convnext_tiny(small_images=True, in_channels=1, num_classes=10)
    net(torch.randn(4, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("option", [{"small_images": True}, {"in_channels": 1}], ids=str)
def test_small_images_and_in_channels_change_the_first_convolution_only(option: dict):
    with torch.device("meta"):
        plain, other = convnext_tiny().state_dict(), convnext_tiny(**option).state_dict()
    assert [key for key in plain if plain[key].shape != other[key].shape] == ["features.0.0.weight"]
    assert list(plain) == list(other)


@pytest.mark.parametrize(("small_images", "size"), [(False, 64), (True, 32)])
def test_the_pyramid_is_as_stated_and_ends_with_the_features(small_images: bool, size: int):
    net = convnext_tiny(small_images=small_images).eval()
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        maps, features = net.forward_pyramid(x), net.forward_features(x)
    assert [Level(m.shape[1], size // m.shape[2]) for m in maps] == list(net.pyramid)
    assert torch.equal(maps[-1], features)
    assert net.num_features == features.shape[1]
    assert [level.stride for level in net.pyramid] == ([1, 2, 4, 8] if small_images else [4, 8, 16, 32])


def test_another_classifier_keeps_the_features():
    net = micro().double().eval()
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    before = net.forward_features(x)
    net.reset_classifier(7)
    assert net(x).shape == (2, 7)
    assert torch.equal(net.forward_features(x), before)
    net.reset_classifier(0)
    assert net(x).shape == (2, net.num_features)
    assert net.num_classes == 0


def test_no_classes_gives_pooled_features():
    net = micro(num_classes=0)
    assert net(torch.randn(2, 3, 64, 64)).shape == (2, net.num_features)


@pytest.mark.parametrize("option", [{"drop_rate": 0.5}, {"stochastic_depth": 0.5}], ids=str)
def test_dropout_and_skipped_blocks_are_for_training_only(option: dict):
    net = randomize(micro(**{"stochastic_depth": 0.0} | option))
    x = torch.randn(8, 3, 32, 32)
    assert not torch.equal(net.train()(x), net(x))
    assert torch.equal(net.eval()(x), net(x))
    still = randomize(micro(stochastic_depth=0.0)).train()
    assert torch.equal(still(x), still(x))
