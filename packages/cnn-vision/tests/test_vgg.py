"""VGG: equal to torchvision's, and what the options promise."""

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import nn

from torchworks.cnn_vision.models import vgg
from torchworks.cnn_vision.models.vgg import VGG
from torchworks.shared.testing import check_model, check_parity

FAST = (vgg.vgg11, vgg.vgg11_bn)
SLOW = (vgg.vgg13, vgg.vgg13_bn, vgg.vgg16, vgg.vgg16_bn, vgg.vgg19, vgg.vgg19_bn)

Build = Callable[..., VGG]


def name_of(build: Build) -> str:
    return build.__name__


all_builders = pytest.mark.parametrize("build", FAST + SLOW, ids=name_of)


def torchvision_vgg(name: str, hidden: int, classes: int) -> nn.Module:
    """torchvision's net, with narrow dense layers so that it is small, and no weight, bias or statistic at zero."""
    with torch.device("meta"):
        net = torchvision.models.get_model(name, weights=None, dropout=0.0)
        pooled = net.classifier[0].in_features
        net.classifier[0] = nn.Linear(pooled, hidden)
        net.classifier[3] = nn.Linear(hidden, hidden)
        net.classifier[6] = nn.Linear(hidden, classes)
    return randomise(net.to_empty(device="cpu"))


@torch.no_grad()
def randomise(net: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.5)
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.num_batches_tracked.zero_()
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, (nn.BatchNorm2d, nn.Conv2d, nn.Linear)):
            module.bias.normal_(0, 0.1)
    return net


@pytest.mark.parametrize("build", [*FAST, *(pytest.param(b, marks=pytest.mark.slow) for b in SLOW)], ids=name_of)
def test_outputs_gradients_and_statistics_are_torchvisions(build: Build):
    theirs = torchvision_vgg(build.__name__, hidden=16, classes=5)
    ours = build(num_classes=5, hidden_features=16, drop_rate=0.0)
    check_parity(ours, theirs, torch.randn(2, 3, 32, 32))


@all_builders
def test_keys_order_and_shapes_are_torchvisions(build: Build):
    with torch.device("meta"):
        ours, theirs = build(), torchvision.models.get_model(build.__name__, weights=None)
    assert shapes(ours) == shapes(theirs)


@pytest.mark.slow
def test_the_full_net_is_torchvisions():
    """With the real dense layers; one net, one precision and one pass, because each copy is a gigabyte."""
    theirs = torchvision.models.vgg16_bn(weights=None, dropout=0.0)
    ours = vgg.vgg16_bn(drop_rate=0.0)
    ours.load_state_dict(randomise(theirs).state_dict())
    theirs.load_state_dict(ours.state_dict())
    x, scale = torch.randn(2, 3, 64, 64), torch.randn(2, 1000)
    a, b = ours(x), theirs(x)
    torch.testing.assert_close(a, b, rtol=0, atol=1e-5 * float(b.detach().abs().max()))
    (a * scale).sum().backward()
    (b * scale).sum().backward()
    for (name, mine), reference in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        largest = float(reference.grad.abs().max())
        torch.testing.assert_close(mine.grad, reference.grad, rtol=0, atol=1e-5 * largest, msg=name)


@pytest.mark.slow
def test_the_same_seed_gives_torchvisions_initial_weights():
    torch.manual_seed(0)
    ours = vgg.vgg11_bn().state_dict()
    torch.manual_seed(0)
    theirs = torchvision.models.vgg11_bn(weights=None).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_weights_start_as_hes_and_biases_as_zero():
    net = vgg.vgg11(small_images=True, num_classes=10)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.std().item() == pytest.approx((2 / (9 * module.out_channels)) ** 0.5, rel=0.1)
        if isinstance(module, nn.Linear):
            assert module.weight.std().item() == pytest.approx(0.01, rel=0.1)
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            assert not module.bias.any()


def test_small_images_keep_the_contract_of_models():
    check_model(
        lambda: vgg.vgg11_bn(small_images=True, in_channels=1, num_classes=10),
        torch.randn(4, 1, 8, 8),
        shapes=(4, 10),
    )


@all_builders
def test_small_images_change_shapes_of_dense_layers_only(build: Build):
    with torch.device("meta"):
        small, full = shapes(build(small_images=True)), shapes(build())
    assert [key for key, _ in small] == [key for key, _ in full]
    changed = [a[0] for a, b in zip(small, full, strict=True) if a != b]
    assert all(key.startswith("classifier.") for key in changed)


def test_in_channels_change_the_first_convolution_only():
    with torch.device("meta"):
        grey, colour = shapes(vgg.vgg13(in_channels=1)), shapes(vgg.vgg13())
    changed = [a[0] for a, b in zip(grey, colour, strict=True) if a != b]
    assert changed == ["features.0.weight"]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("small_images", "size"), [(False, 64), (True, 32)])
def test_the_pyramid_is_as_stated_and_ends_with_the_features(batch_norm: bool, small_images: bool, size: int):
    net = VGG((1, 1, 2, 2, 2), batch_norm=batch_norm, small_images=small_images, num_classes=0).eval()
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        maps, features = net.forward_pyramid(x), net.forward_features(x)
    assert [level.stride for level in net.pyramid] == ([1, 2, 4, 8] if small_images else [2, 4, 8, 16, 32])
    stated = [(1, level.channels, size // level.stride, size // level.stride) for level in net.pyramid]
    assert [tuple(m.shape) for m in maps] == stated
    assert torch.equal(maps[-1], features)
    assert net.num_features == features.shape[1]


def test_a_new_classifier_keeps_the_features_and_the_hidden_layers():
    net = vgg.vgg11(small_images=True, num_classes=10).eval()
    x = torch.randn(2, 3, 16, 16)
    features, hidden = net.forward_features(x), net.classifier[3].weight
    net.reset_classifier(7)
    assert net(x).shape == (2, 7)
    assert net.num_classes == 7
    assert net.classifier[3].weight is hidden
    assert torch.equal(net.forward_features(x), features)


def test_no_classes_give_pooled_features_and_classes_can_come_back():
    net = vgg.vgg11(small_images=True, num_classes=10).eval()
    x = torch.randn(2, 3, 16, 16)
    net.reset_classifier(0)
    torch.testing.assert_close(net(x), net.forward_features(x).mean((2, 3)))
    assert not list(net.classifier.parameters())
    net.reset_classifier(3)
    assert net(x).shape == (2, 3)
    built_without = vgg.vgg11(num_classes=0)
    assert built_without(torch.randn(2, 3, 32, 32)).shape == (2, built_without.num_features)


def test_a_new_classifier_has_the_nets_precision():
    net = vgg.vgg11(small_images=True, num_classes=10).double()
    net.reset_classifier(4)
    assert net.classifier[-1].weight.dtype == torch.float64


def test_dropout_is_on_in_training_only():
    net = randomise(vgg.vgg11(small_images=True, num_classes=10))
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert not torch.equal(net.train()(x), net(x))
        assert torch.equal(net.eval()(x), net(x))
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]


def shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(key, value.shape) for key, value in net.state_dict().items()]
