"""Every architecture that torchvision has is equal to torchvision's: keys, outputs, gradients, statistics."""

import pytest
import torch
from torch import nn

from torchworks.cnn_vision import list_models
from torchworks.cnn_vision.studies.model_table import images_for, in_torchvision, twins
from torchworks.shared.testing import check_parity, randomize

FAST = (
    "vgg11", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "densenet121", "efficientnet_b0", "mobilenet_v2",
    "mobilenet_v3_small", "mobilenet_v3_large",
)  # fmt: skip
LARGE = (
    "vgg13", "vgg13_bn", "vgg16", "vgg19", "vgg19_bn", "resnet101", "resnet152", "resnext101_32x8d", "resnext101_64x4d",
    "wide_resnet50_2", "wide_resnet101_2", "densenet161", "densenet169", "densenet201", "efficientnet_b2",
    "efficientnet_b3", "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7",
)  # fmt: skip
"""Nets that have more of what smaller ones of their family have: computed by `make test-long` alone. Those in neither
list are computed by `make test-slow`."""
NAMES = [name for name in list_models() if in_torchvision(name)]


def test_nets_with_a_name_of_torchvisions_are_compared_and_those_for_small_images_have_no_counterpart():
    assert {"vgg11", "resnet18", "vit_b_16"} <= set(NAMES)
    assert "resnet20" not in NAMES


def marked(name: str):
    mark = None if name in FAST else pytest.mark.long if name in LARGE else pytest.mark.slow
    return pytest.param(name, marks=mark or ())


@pytest.mark.parametrize("name", NAMES)
def test_keys_and_shapes_are_torchvisions(name: str):
    ours, theirs = twins(name)
    assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize("name", [marked(name) for name in NAMES])
def test_outputs_gradients_and_statistics_are_torchvisions(name: str):
    ours, theirs = twins(name, image_size=32) if name == "vit_b_16" else twins(name)
    if name.startswith("vgg"):
        narrow_dense_layers(ours)
        narrow_dense_layers(theirs)
    theirs = randomize(theirs.to_empty(device="cpu"))
    check_parity(ours, theirs, images_for(name, vit_size=32), quick=True)


def shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(key, value.shape) for key, value in net.state_dict().items()]


def narrow_dense_layers(net: nn.Module) -> None:
    """A VGG's hundred million weights after the convolutions are three plain layers: 16 features show as much."""
    with torch.device("meta"):
        for index, sizes in {0: (512 * 7 * 7, 16), 3: (16, 16), 6: (16, 10)}.items():
            net.classifier[index] = nn.Linear(*sizes)
