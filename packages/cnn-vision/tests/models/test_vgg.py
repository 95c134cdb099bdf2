"""VGG: equal to torchvision's, and what the options promise."""

import pytest
import torch
import torchvision
from torch import nn

from torchworks.cnn_vision.models import vgg
from torchworks.cnn_vision.models.vgg import VGG
from torchworks.shared.testing import check_model, randomize


def small_net(**options) -> VGG:
    """All parts of a VGG, quickly."""
    return VGG((1, 1, 1, 1, 1), True, small_images=True, hidden_features=16, **options)


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
        lambda: small_net(in_channels=1, num_classes=10),
        torch.randn(4, 1, 8, 8),
        shapes=(4, 10),
    )


def test_small_images_change_shapes_of_dense_layers_only():
    with torch.device("meta"):
        small, full = shapes(vgg.vgg13_bn(small_images=True)), shapes(vgg.vgg13_bn())
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
    net = VGG((1, 1, 1, 1, 1), batch_norm=batch_norm, small_images=small_images, num_classes=0).eval()
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        maps, features = net.forward_pyramid(x), net.forward_features(x)
    assert [level.stride for level in net.pyramid] == ([1, 2, 4, 8] if small_images else [2, 4, 8, 16, 32])
    stated = [(1, level.channels, size // level.stride, size // level.stride) for level in net.pyramid]
    assert [tuple(m.shape) for m in maps] == stated
    assert torch.equal(maps[-1], features)
    assert net.num_features == features.shape[1]


def test_a_new_classifier_keeps_the_features_and_the_hidden_layers():
    net = small_net(num_classes=10).eval()
    x = torch.randn(2, 3, 16, 16)
    features, hidden = net.forward_features(x), net.classifier[3].weight
    net.reset_classifier(7)
    assert net(x).shape == (2, 7)
    assert net.num_classes == 7
    assert net.classifier[3].weight is hidden
    assert torch.equal(net.forward_features(x), features)


def test_no_classes_give_pooled_features_and_classes_can_come_back():
    net = small_net(num_classes=10).eval()
    x = torch.randn(2, 3, 16, 16)
    net.reset_classifier(0)
    torch.testing.assert_close(net(x), net.forward_features(x).mean((2, 3)))
    assert not list(net.classifier.parameters())
    net.reset_classifier(3)
    assert net(x).shape == (2, 3)
    built_without = vgg.vgg11(num_classes=0)
    assert built_without(torch.randn(2, 3, 32, 32)).shape == (2, built_without.num_features)


def test_a_new_classifier_has_the_nets_precision():
    net = small_net(num_classes=10).double()
    net.reset_classifier(4)
    assert net.classifier[-1].weight.dtype == torch.float64


def test_dropout_is_on_in_training_only():
    net = randomize(vgg.vgg11(small_images=True, num_classes=10))
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert not torch.equal(net.train()(x), net(x))
        assert torch.equal(net.eval()(x), net(x))
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.5, 0.5]


def shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(key, value.shape) for key, value in net.state_dict().items()]
