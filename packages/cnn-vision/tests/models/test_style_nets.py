"""Nets of style transfer: losses by hand, exact statistics after AdaIN, feature maps of a VGG, optimization."""

import pytest
import torch
from torchvision.models.vgg import cfgs, make_layers

from torchworks.cnn_vision.models.adain import AdaINNet, adain
from torchworks.cnn_vision.models.fast_style import TransformNet
from torchworks.cnn_vision.models.neural_style import optimize
from torchworks.cnn_vision.models.perceptual import (
    LAYERS,
    content_loss,
    gram,
    gram_loss,
    grams,
    recolored,
    statistics,
    statistics_loss,
)
from torchworks.cnn_vision.models.vgg_features import FeatureNet, SmallVGG, build_features, layer_names
from torchworks.shared.testing import check_model


@pytest.fixture
def normal():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


def test_the_gram_matrix_is_what_one_gets_by_hand():
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])  # two channels, two places
    assert gram(maps).tolist() == [[[2.5, 5.5], [5.5, 12.5]]]


def test_the_gram_matrix_forgets_where_things_are(normal):
    maps = normal(1, 3, 4, 4)
    moved = maps.flatten(2)[..., torch.randperm(16, generator=torch.Generator().manual_seed(0))].view(maps.shape)
    torch.testing.assert_close(gram(maps), gram(moved))


def test_after_adain_the_statistics_are_exactly_those_of_the_style(normal):
    content, style = normal(2, 5, 8, 8), 3 * normal(2, 5, 6, 4) + 1
    for ours, theirs in zip(statistics(adain(content, style)), statistics(style), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_equal_images_are_no_distance_apart(normal):
    maps = {"a": normal(2, 3, 4, 4), "b": normal(2, 4, 2, 2)}
    assert not content_loss(maps["a"], maps["a"]).any()
    assert not gram_loss(maps, grams(maps)).any()
    assert not statistics_loss(maps, maps).any()


def test_layers_have_the_names_of_the_papers():
    names = layer_names(make_layers(cfgs["E"]))
    assert names["relu1_1"] == 1
    assert names["relu4_1"] == 20
    assert names["relu5_4"] == 35
    assert len(names) == 16


def test_the_feature_net_gives_the_maps_of_the_vgg_inside(normal):
    layers = make_layers(cfgs["E"]).eval()
    net = FeatureNet(layers, (0.0,) * 3, (1.0,) * 3, ("relu1_1", "relu2_1"))
    images = normal(1, 3, 16, 16)
    torch.testing.assert_close(net(images)["relu2_1"], layers[:7](images))
    assert net.channels == {"relu1_1": 64, "relu2_1": 128}
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_batch_norm_is_worked_into_the_convolutions_without_changing_a_map(normal):
    net = SmallVGG(3, widths=(4, 6, 8, 8))
    images = normal(4, 3, 32, 32)
    net.train()(images)  # moves the running statistics
    net.eval()
    with torch.no_grad():
        torch.testing.assert_close(net.plain()(images), net.features(images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(32, 32), (30, 41)])
def test_the_transform_net_keeps_any_size(size, normal):
    assert TransformNet(4, 1)(normal(1, 3, *size).sigmoid()).shape == (1, 3, *size)


def test_the_transform_net_keeps_what_every_net_promises(normal):
    images = normal(2, 3, 16, 16).sigmoid()
    check_model(lambda: TransformNet(4, 1), images, shapes=(2, 3, 16, 16), unused=["*.bias"])


def test_without_style_adain_decodes_the_content(normal):
    net = AdaINNet(build_features("small", LAYERS))
    content, style = 0.1 + 0.8 * normal(1, 3, 32, 32).sigmoid(), normal(1, 3, 24, 40).sigmoid()
    torch.testing.assert_close(net(content, style, 0.0), net.decode(net.encoder(content)["relu4_1"], content))
    assert net(content, style).shape == content.shape


def test_recolored_images_have_the_colors_of_the_style(normal):
    images, style = normal(1, 3, 8, 8) / 20 + 0.5, normal(1, 3, 8, 8) / 30 + 0.4
    for ours, theirs in zip(statistics(recolored(images, style)), statistics(style), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_distances_are_those_of_float32(dtype):
    """Squares of maps as large as VGG-19's overflow fp16."""
    generator = torch.Generator().manual_seed(0)
    ours, theirs = ({"relu1_1": (400 * torch.rand(2, 4, 64, 64, generator=generator)).to(dtype)} for _ in range(2))
    wide, other = ({name: value.float() for name, value in maps.items()} for maps in (ours, theirs))
    for distance in (
        lambda a, b: content_loss(a["relu1_1"], b["relu1_1"]),
        lambda a, b: gram_loss(a, grams(b)),
        statistics_loss,
    ):
        with torch.autocast("cpu", dtype):
            found = distance(ours, theirs)
        torch.testing.assert_close(found, distance(wide, other))


def test_optimization_brings_the_style_nearer_and_is_the_same_each_time():
    net = build_features("small", LAYERS)
    generator = torch.Generator().manual_seed(0)
    content, style = torch.rand(1, 3, 32, 32, generator=generator), torch.rand(1, 3, 32, 32, generator=generator) ** 3
    losses = []
    first = optimize(net, content, style, steps=5, report=lambda step, loss: losses.append(loss))
    assert losses[-1] < losses[0]
    assert torch.equal(first, optimize(net, content, style, steps=5))
    assert 0 <= first.min() <= first.max() <= 1
