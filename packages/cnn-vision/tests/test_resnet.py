"""ResNet, ResNeXt and Wide ResNet: equal to torchvision's, and what the options promise."""

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import nn
from torchvision.ops import StochasticDepth

from torchworks.cnn_vision.models import resnet
from torchworks.cnn_vision.models.resnet import ResNet
from torchworks.shared.testing import check_model, check_parity

FAST = (resnet.resnet18, resnet.resnet50, resnet.resnext50_32x4d)
SLOW = (
    resnet.resnet34,  # the same blocks as resnet18
    resnet.resnet101,
    resnet.resnet152,
    resnet.resnext101_32x8d,
    resnet.resnext101_64x4d,
    resnet.wide_resnet50_2,
    resnet.wide_resnet101_2,
)

Build = Callable[..., ResNet]


def name_of(build: Build) -> str:
    return build.__name__


@torch.no_grad()
def randomise(net: nn.Module) -> nn.Module:
    """No gain, bias or statistic stays at its start."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.1)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net


@pytest.mark.parametrize("build", [*FAST, *(pytest.param(b, marks=pytest.mark.slow) for b in SLOW)], ids=name_of)
def test_outputs_gradients_and_statistics_are_torchvisions(build: Build):
    torch.manual_seed(0)
    theirs = randomise(torchvision.models.get_model(build.__name__, weights=None, num_classes=5))
    check_parity(build(num_classes=5), theirs, torch.randn(2, 3, 64, 64))


@pytest.mark.parametrize("build", FAST + SLOW, ids=name_of)
def test_keys_order_and_shapes_are_torchvisions(build: Build):
    with torch.device("meta"):
        ours, theirs = build(), torchvision.models.get_model(build.__name__, weights=None)
    assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("build", [resnet.resnet18, resnet.resnet50], ids=name_of)
def test_the_same_seed_gives_torchvisions_initial_weights(build: Build, zero: bool):
    torch.manual_seed(0)
    ours = build(zero_init_residual=zero).state_dict()
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(build.__name__, weights=None, zero_init_residual=zero).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_small_images_keep_the_contract_of_models():
    check_model(
        lambda: resnet.resnet18(small_images=True, in_channels=1, num_classes=10),
        torch.randn(4, 1, 8, 8),
        shapes=(4, 10),
    )


@pytest.mark.parametrize("build", FAST + SLOW, ids=name_of)
@pytest.mark.parametrize("option", [{"small_images": True}, {"in_channels": 1}], ids=str)
def test_small_images_and_in_channels_change_the_first_convolution_only(build: Build, option: dict):
    with torch.device("meta"):
        special, plain = shapes(build(**option)), shapes(build())
    assert [key for key, _ in special] == [key for key, _ in plain]
    assert [a[0] for a, b in zip(special, plain, strict=True) if a != b] == ["conv1.weight"]


@pytest.mark.parametrize("build", [resnet.resnet18, resnet.resnet50], ids=name_of)
@pytest.mark.parametrize(("small_images", "size"), [(False, 64), (True, 32)])
def test_the_pyramid_is_as_stated_and_ends_with_the_features(build: Build, small_images: bool, size: int):
    net = build(small_images=small_images, num_classes=0).eval()
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        maps, features = net.forward_pyramid(x), net.forward_features(x)
    assert [level.stride for level in net.pyramid] == ([1, 2, 4, 8] if small_images else [4, 8, 16, 32])
    stated = [(1, level.channels, size // level.stride, size // level.stride) for level in net.pyramid]
    assert [tuple(m.shape) for m in maps] == stated
    assert torch.equal(maps[-1], features)
    assert net.num_features == features.shape[1]


def test_a_new_classifier_keeps_the_features():
    net = resnet.resnet18(num_classes=10).eval()
    x = torch.randn(2, 3, 32, 32)
    features = net.forward_features(x)
    net.reset_classifier(7)
    assert net(x).shape == (2, 7)
    assert net.num_classes == 7
    assert torch.equal(net.forward_features(x), features)


def test_no_classes_give_pooled_features_and_classes_can_come_back():
    net = resnet.resnet18(num_classes=0, drop_rate=0.9)
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(net(x), net.forward_features(x).mean((2, 3)))
    net.double().reset_classifier(3)
    assert net(x.double()).shape == (2, 3)


@pytest.mark.parametrize("option", ["drop_rate", "stochastic_depth"])
def test_dropout_and_stochastic_depth_are_on_in_training_only(option: str):
    x = torch.randn(4, 3, 16, 16)
    net = resnet.resnet18(small_images=True, num_classes=10, **{option: 0.5})
    plain = resnet.resnet18(small_images=True, num_classes=10)
    plain.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert not torch.equal(net.train()(x), net(x))
        assert torch.equal(plain.train()(x), plain(x))
        plain.load_state_dict(net.state_dict())
        assert torch.equal(net.eval()(x), plain.eval()(x))


def test_stochastic_depth_grows_from_nothing_at_the_first_block_to_its_value_at_the_last():
    net = resnet.resnet18(stochastic_depth=0.7)
    rates = [module.p for module in net.modules() if isinstance(module, StochasticDepth)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


def shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(key, value.shape) for key, value in net.state_dict().items()]
