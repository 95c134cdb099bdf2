"""DenseNet: equal to torchvision's, and what the options promise."""

import re

import pytest
import torch
import torchvision
from torch import nn

from torchworks.cnn_vision.models import densenet
from torchworks.cnn_vision.models.densenet import DenseNet, rename_old_keys
from torchworks.shared.testing import check_model, check_parity, randomize


def small_net(**options) -> DenseNet:
    """All parts of a DenseNet, quickly."""
    return DenseNet(8, (2, 3, 2, 2), 16, **options)


@pytest.mark.parametrize("size", [64, 87])
def test_a_small_net_of_the_same_kind_is_torchvisions_at_even_and_odd_sizes(size: int):
    """Gradients in float64 alone: our transition sums in another order than torchvision's, and in float32 that can put
    a number near zero on the other side of a ReLU."""
    theirs = torchvision.models.DenseNet(8, (2, 3, 2, 2), 16, num_classes=5)
    check_parity(small_net(num_classes=5), randomize(theirs), torch.randn(2, 3, size, size), quick=True)


def test_the_same_seed_gives_torchvisions_initial_weights():
    torch.manual_seed(0)
    ours = densenet.densenet121().state_dict()
    torch.manual_seed(0)
    theirs = torchvision.models.densenet121(weights=None).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_torchvisions_published_files_load_after_renaming():
    """Their keys are `denselayer1.norm.1.weight`, from when names could hold dots."""
    net = small_net(num_classes=5)
    now = net.state_dict()
    then = {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key): value for key, value in now.items()}
    assert "features.denseblock2.denselayer3.norm.1.running_mean" in then
    assert "features.denseblock1.denselayer1.conv.2.weight" in then
    assert {"features.conv0.weight", "features.norm5.bias", "features.transition1.norm.weight"} <= then.keys()
    assert list(rename_old_keys(then)) == list(now)
    net.load_state_dict(rename_old_keys(then), strict=True)


def test_renaming_leaves_todays_keys_alone():
    state = small_net().state_dict()
    assert list(rename_old_keys(state)) == list(state)


def test_small_images_keep_the_contract_of_models():
    check_model(
        lambda: small_net(small_images=True, in_channels=1, num_classes=10),
        torch.randn(4, 1, 8, 8),
        shapes=(4, 10),
    )


@pytest.mark.parametrize("option", [{"small_images": True}, {"in_channels": 1}], ids=str)
def test_small_images_and_in_channels_change_the_first_convolution_only(option: dict):
    with torch.device("meta"):
        special, plain = shapes(small_net(**option)), shapes(small_net())
    assert [key for key, _ in special] == [key for key, _ in plain]
    assert [a[0] for a, b in zip(special, plain, strict=True) if a != b] == ["features.conv0.weight"]


@pytest.mark.parametrize(("small_images", "size"), [(False, 64), (True, 32)])
def test_the_pyramid_is_as_stated_and_ends_with_the_features(small_images: bool, size: int):
    net = small_net(small_images=small_images, num_classes=0).eval()
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        maps, features = net.forward_pyramid(x), net.forward_features(x)
    assert [level.stride for level in net.pyramid] == ([1, 2, 4, 8] if small_images else [4, 8, 16, 32])
    stated = [(1, level.channels, size // level.stride, size // level.stride) for level in net.pyramid]
    assert [tuple(m.shape) for m in maps] == stated
    assert torch.equal(maps[-1], features)
    assert net.num_features == features.shape[1]


def test_gradients_flow_through_the_pyramid():
    net = small_net(num_classes=0)
    sum(m.mean() for m in net.forward_pyramid(torch.randn(2, 3, 64, 64))).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_a_new_classifier_keeps_the_features():
    net = small_net(num_classes=10).eval()
    x = torch.randn(2, 3, 32, 32)
    features = net.forward_features(x)
    net.reset_classifier(7)
    assert net(x).shape == (2, 7)
    assert net.num_classes == 7
    assert torch.equal(net.forward_features(x), features)


def test_no_classes_give_pooled_features_and_classes_can_come_back():
    net = small_net(num_classes=0).eval()
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(net(x), net.forward_features(x).mean((2, 3)))
    net.double().reset_classifier(3)
    assert net(x.double()).shape == (2, 3)


def test_dropout_is_on_in_training_only():
    x = torch.randn(4, 3, 16, 16)
    net, plain = small_net(small_images=True, drop_rate=0.2), small_net(small_images=True)
    plain.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert torch.equal(net.eval()(x), plain.eval()(x))
        assert not torch.equal(net.train()(x), net(x))
        assert torch.equal(plain.train()(x), plain(x))


def shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(key, value.shape) for key, value in net.state_dict().items()]
