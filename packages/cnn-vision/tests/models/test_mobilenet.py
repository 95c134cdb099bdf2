"""MobileNet V2 and V3 are torchvision's, and keep the contract of a backbone."""

import pytest
import torch
import torchvision.models
from torch import Tensor, nn

from torchworks.cnn_vision.models.backbone import Level
from torchworks.cnn_vision.models.mobilenet_v2 import mobilenet_v2
from torchworks.cnn_vision.models.mobilenet_v3 import Block, MobileNetV3, mobilenet_v3_large, mobilenet_v3_small
from torchworks.shared.testing import check_model

BUILDERS = [mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large]
every_builder = pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)


def theirs(build, **options) -> nn.Module:
    return getattr(torchvision.models, build.__name__)(weights=None, **options)


def images(size: int, channels: int = 3, rows: int = 2) -> Tensor:
    return torch.randn(rows, channels, size, size, generator=torch.Generator().manual_seed(0))


@every_builder
@pytest.mark.parametrize("width", [0.35, 1.4])
def test_state_dict_has_torchvisions_names_order_and_shapes(build, width):
    with torch.device("meta"):
        ours, reference = build(width=width).state_dict(), theirs(build, width_mult=width).state_dict()
    assert [(key, value.shape) for key, value in ours.items()] == [(k, v.shape) for k, v in reference.items()]


@every_builder
def test_the_same_seed_gives_torchvisions_initial_weights(build):
    torch.manual_seed(3)
    ours = build(num_classes=7).state_dict()
    torch.manual_seed(3)
    reference = theirs(build, num_classes=7).state_dict()
    assert all(torch.equal(ours[key], value) for key, value in reference.items())


def tiny_v3(**options) -> MobileNetV3:
    """A block with all parts and one with few."""
    blocks = (Block(3, 16, 16, True, nn.ReLU, 2), Block(5, 24, 16, False, nn.Hardswish, 1))
    return MobileNetV3(blocks, 32, **options)


@pytest.mark.parametrize(("build", "export"), [(mobilenet_v2, False), (tiny_v3, True)])
def test_small_images_keep_the_contract_of_a_model(build, export):
    check_model(
        lambda: build(small_images=True, in_channels=1, num_classes=10, drop_rate=0.0, width=0.5),
        images(8, channels=1, rows=4),
        shapes=(4, 10),
        export=export,
    )


@every_builder
@pytest.mark.parametrize(
    ("small", "size", "strides"), [(False, 64, [2, 4, 8, 16, 32]), (True, 32, [1, 2, 4, 8])], ids=["full", "small"]
)
def test_the_pyramid_is_as_stated_and_ends_in_the_features(build, small, size, strides):
    net, x = build(num_classes=0, small_images=small).eval(), images(size)
    maps = net.forward_pyramid(x)
    assert [level.stride for level in net.pyramid] == strides
    assert [tuple(m.shape) for m in maps] == [(2, p.channels, size // p.stride, size // p.stride) for p in net.pyramid]
    assert torch.equal(maps[-1], net.forward_features(x))
    assert net.pyramid[-1].channels == net.num_features


def test_the_levels_are_the_last_maps_of_their_resolution():
    levels = [Level(16, 2), Level(24, 4), Level(32, 8), Level(96, 16), Level(1280, 32)]
    assert list(mobilenet_v2().pyramid) == levels


@every_builder
def test_a_new_classifier_leaves_the_features_as_they_are(build):
    net, x = build(num_classes=5, small_images=True).eval(), images(32)
    features = net.forward_features(x)
    net.reset_classifier(3)
    assert net(x).shape == (2, 3)
    assert net.num_classes == 3
    assert torch.equal(net.forward_features(x), features)
    assert torch.equal(net(x), net(x)), "the new head is in training"
    net.reset_classifier(0)
    assert torch.equal(net(x), features.mean((2, 3)))
    net.reset_classifier(4)
    assert net(x).shape == (2, 4)


def test_a_new_classifier_keeps_the_heads_hidden_layer():
    net = mobilenet_v3_small(num_classes=5)
    hidden = net.classifier[0].weight
    net.reset_classifier(3)
    assert net.classifier[0].weight is hidden


def test_a_new_classifier_is_of_the_nets_dtype():
    net = mobilenet_v2(num_classes=5).double()
    net.reset_classifier(3)
    assert net(images(32).double()).dtype == torch.float64


@every_builder
def test_no_classes_gives_pooled_features(build):
    net = build(num_classes=0, small_images=True).eval()
    assert net(images(8)).shape == (2, net.num_features)
    assert not [key for key in net.state_dict() if key.startswith("classifier")]


@every_builder
def test_dropout_acts_in_training_only(build):
    net, features = build(num_classes=5, drop_rate=0.5), torch.rand(2, build(num_classes=0).num_features, 1, 1)
    assert not torch.equal(net.forward_head(features), net.forward_head(features))
    net.eval()
    assert torch.equal(net.forward_head(features), net.forward_head(features))


@every_builder
def test_input_channels_change_the_first_convolution_only(build):
    with torch.device("meta"):
        three, five = build().state_dict(), build(in_channels=5).state_dict()
    assert [key for key in three if three[key].shape != five[key].shape] == ["features.0.0.weight"]
