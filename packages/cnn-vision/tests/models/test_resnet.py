"""ResNet, ResNeXt and Wide ResNet: equal to torchvision's, and what the options promise."""

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import nn

from torchworks.cnn_vision.models import resnet
from torchworks.cnn_vision.models.resnet import ResNet
from torchworks.cnn_vision.models.stochastic_depth import StochasticDepth
from torchworks.shared.testing import check_model

Build = Callable[..., ResNet]


def name_of(build: Build) -> str:
    return build.__name__


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("block", ["BasicBlock", "Bottleneck"])
def test_the_same_seed_gives_torchvisions_initial_weights(block: str, zero: bool):
    torch.manual_seed(0)
    ours = ResNet(getattr(resnet, block), (1, 1, 1, 1), zero_init_residual=zero).state_dict()
    torch.manual_seed(0)
    block = getattr(torchvision.models.resnet, block)
    theirs = torchvision.models.ResNet(block, [1, 1, 1, 1], zero_init_residual=zero).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_small_images_keep_the_contract_of_models():
    check_model(
        lambda: resnet.resnet20(in_channels=1, num_classes=10),
        torch.randn(4, 1, 8, 8),
        shapes=(4, 10),
    )


@pytest.mark.parametrize("options", [{"groups": 2}, {"width_per_group": 128}])
def test_basic_blocks_refuse_groups_and_other_widths_as_torchvisions_do(options: dict[str, int]):
    with pytest.raises(ValueError, match="groups=1 and width_per_group=64"):
        ResNet(resnet.BasicBlock, (1, 1, 1, 1), **options)
    with pytest.raises(ValueError, match="groups=1 and base_width=64"):
        torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1], **options)


@pytest.mark.parametrize(
    ("build", "paper"), [(resnet.resnet20, 0.27), (resnet.resnet32, 0.46), (resnet.resnet56, 0.85)]
)
def test_the_nets_for_small_images_have_the_papers_parameters_and_two_projections(build: Build, paper: float):
    """The paper's table 6. Its shortcuts have no parameters; ours are convolutions with their normalisations."""
    with torch.device("meta"):
        net = build(num_classes=10)
    projections = sum(p.numel() for name, p in net.named_parameters() if ".downsample." in name)
    assert projections == 16 * 32 + 32 * 64 + 2 * (32 + 64)
    assert round((sum(p.numel() for p in net.parameters()) - projections) / 1e6, 2) == paper


def test_the_nets_for_small_images_have_strides_1_2_and_4():
    net = resnet.resnet20(num_classes=0).eval()
    maps = net.forward_pyramid(torch.randn(1, 3, 32, 32))
    assert [level.stride for level in net.pyramid] == [1, 2, 4]
    assert [tuple(m.shape[1:]) for m in maps] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


def test_bottlenecks_in_groups_train_on_images_of_8_pixels():
    net = ResNet(resnet.Bottleneck, (1, 1), 8, 4, 32, num_classes=5, small_images=True)
    net(torch.randn(4, 3, 8, 8)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


@pytest.mark.parametrize("build", [resnet.resnet18, resnet.resnext50_32x4d], ids=name_of)
@pytest.mark.parametrize("option", [{"small_images": True}, {"in_channels": 1}], ids=str)
def test_small_images_and_in_channels_change_the_first_convolution_only(build: Build, option: dict):
    with torch.device("meta"):
        special, plain = shapes(build(**option)), shapes(build())
    assert [key for key, _ in special] == [key for key, _ in plain]
    assert [a[0] for a, b in zip(special, plain, strict=True) if a != b] == ["conv1.weight"]


@pytest.mark.parametrize("block", [resnet.BasicBlock, resnet.Bottleneck])
@pytest.mark.parametrize(("small_images", "size"), [(False, 64), (True, 32)])
def test_the_pyramid_is_as_stated_and_ends_with_the_features(block: type, small_images: bool, size: int):
    net = ResNet(block, (1, 1, 1, 1), 8, small_images=small_images, num_classes=0).eval()
    x = torch.randn(1, 3, size, size)
    with torch.no_grad():
        maps, features = net.forward_pyramid(x), net.forward_features(x)
    assert [level.stride for level in net.pyramid] == ([1, 2, 4, 8] if small_images else [4, 8, 16, 32])
    stated = [(1, level.channels, size // level.stride, size // level.stride) for level in net.pyramid]
    assert [tuple(m.shape) for m in maps] == stated
    assert torch.equal(maps[-1], features)
    assert net.num_features == features.shape[1]


def test_a_new_classifier_keeps_the_features():
    net = resnet.resnet20(num_classes=10).eval()
    x = torch.randn(2, 3, 32, 32)
    features = net.forward_features(x)
    net.reset_classifier(7)
    assert net(x).shape == (2, 7)
    assert net.num_classes == 7
    assert torch.equal(net.forward_features(x), features)


def test_no_classes_give_pooled_features_and_classes_can_come_back():
    net = resnet.resnet20(num_classes=0, drop_rate=0.9)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(net(x), net.forward_features(x).mean((2, 3)))
    net.double().reset_classifier(3)
    assert net(x.double()).shape == (2, 3)


@pytest.mark.parametrize("option", ["drop_rate", "stochastic_depth"])
def test_dropout_and_stochastic_depth_are_on_in_training_only(option: str):
    x = torch.randn(4, 3, 16, 16)
    net = resnet.resnet20(num_classes=10, **{option: 0.5})
    plain = resnet.resnet20(num_classes=10)
    plain.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert not torch.equal(net.train()(x), net(x))
        assert torch.equal(plain.train()(x), plain(x))
        plain.load_state_dict(net.state_dict())
        assert torch.equal(net.eval()(x), plain.eval()(x))


def test_stochastic_depth_grows_from_nothing_at_the_first_block_to_its_value_at_the_last():
    with torch.device("meta"):
        net = resnet.resnet18(stochastic_depth=0.7)
    rates = [module.p for module in net.modules() if isinstance(module, StochasticDepth)]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


def shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(key, value.shape) for key, value in net.state_dict().items()]
