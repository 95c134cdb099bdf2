"""EfficientNet V1 and V2 are torchvision's, and keep the contract of a backbone."""

import pytest
import torch
import torchvision.models
from torch import Tensor, nn

from torchworks.cnn_vision.models import efficientnet
from torchworks.cnn_vision.models.efficientnet import EfficientNet, Stage, efficientnet_b0
from torchworks.cnn_vision.models.efficientnet_v2 import FusedMBConv, efficientnet_v2_s
from torchworks.cnn_vision.models.stochastic_depth import StochasticDepth
from torchworks.shared.testing import check_model, check_parity, randomize

one_of_each = pytest.mark.parametrize("build", [efficientnet_b0, efficientnet_v2_s], ids=lambda build: build.__name__)


def theirs(build, **options) -> nn.Module:
    return getattr(torchvision.models, build.__name__)(weights=None, **options)


def images(size: int, channels: int = 3, rows: int = 2) -> Tensor:
    return torch.randn(rows, channels, size, size, generator=torch.Generator().manual_seed(0))


@one_of_each
def test_dropout_stochastic_depth_and_batch_norm_have_torchvisions_rates(build):
    with torch.device("meta"):
        ours, reference = build(), theirs(build)
    rates = [module.p for module in ours.modules() if isinstance(module, StochasticDepth)]
    assert rates == [m.p for m in reference.modules() if isinstance(m, torchvision.ops.StochasticDepth)]
    assert ours.drop_rate == ours.classifier[0].p == reference.classifier[0].p
    assert norms(ours) == norms(reference)


def norms(net: nn.Module) -> list[tuple[float, float | None]]:
    return [(module.eps, module.momentum) for module in net.modules() if isinstance(module, nn.BatchNorm2d)]


def test_in_training_dropout_and_stochastic_depth_draw_torchvisions_numbers():
    net = randomize(theirs(efficientnet_b0, num_classes=7))
    check_parity(efficientnet_b0(num_classes=7), net, images(33, rows=4), quick=True)


def test_small_images_keep_the_contract_of_a_model():
    stages = (Stage(1, 3, 1, 8, 1, FusedMBConv), Stage(4, 3, 2, 8, 2, FusedMBConv), Stage(4, 5, 2, 16, 2))

    def build() -> EfficientNet:
        return EfficientNet(
            stages, 8, 32, small_images=True, in_channels=1, num_classes=10, drop_rate=0.0, stochastic_depth=0.0
        )

    check_model(build, images(8, channels=1, rows=4), shapes=(4, 10))


@one_of_each
def test_the_same_seed_gives_torchvisions_initial_weights(build):
    torch.manual_seed(3)
    ours = build(num_classes=7).state_dict()
    torch.manual_seed(3)
    reference = theirs(build, num_classes=7).state_dict()
    assert all(torch.equal(ours[key], value) for key, value in reference.items())


@one_of_each
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


def test_a_new_classifier_leaves_the_features_as_they_are():
    net, x = efficientnet_b0(num_classes=5, small_images=True).eval(), images(16)
    features = net.forward_features(x)
    net.reset_classifier(3)
    assert net(x).shape == (2, 3)
    assert net.num_classes == 3
    assert torch.equal(net.forward_features(x), features)
    net.reset_classifier(0)
    assert torch.equal(net(x), features.mean((2, 3)))
    net.reset_classifier(4)
    assert net(x).shape == (2, 4)


def test_dropout_acts_in_training_only():
    net, features = efficientnet_b0(num_classes=5, drop_rate=0.5), torch.rand(2, 1280, 1, 1)
    assert not torch.equal(net.forward_head(features), net.forward_head(features))
    net.eval()
    assert torch.equal(net.forward_head(features), net.forward_head(features))


def test_stochastic_depth_drops_whole_images_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = StochasticDepth(0.25)(torch.ones(4000, 2, 3, 3)).flatten(1)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)


def test_stochastic_depth_of_one_leaves_nothing_and_no_nan():
    assert not StochasticDepth(1.0)(torch.ones(4, 2, 3, 3)).any()


def test_stochastic_depth_acts_on_every_shortcut_in_training_only():
    net, x = efficientnet_b0(num_classes=5, small_images=True, drop_rate=0.0, stochastic_depth=0.9).eval(), images(16)
    assert torch.equal(net(x), net(x))
    for module in net.modules():  # batch statistics stay those of evaluation
        module.training = isinstance(module, StochasticDepth)
    assert not torch.equal(net(x), net(x))


def test_input_channels_change_the_first_convolution_only():
    with torch.device("meta"):
        three, five = efficientnet_b0().state_dict(), efficientnet_b0(in_channels=5).state_dict()
    assert [key for key in three if three[key].shape != five[key].shape] == ["features.0.0.weight"]


def test_every_option_of_a_larger_net_can_be_set():
    net = efficientnet.efficientnet_b2(num_classes=3, drop_rate=0.1, stochastic_depth=0.0, small_images=True)
    assert net.drop_rate == 0.1
    assert {module.p for module in net.modules() if isinstance(module, StochasticDepth)} == {0.0}
