"""Every architecture that torchvision has is equal to torchvision's: keys, outputs, gradients, statistics."""

import pytest
import torch
from torch import nn

from torchworks.cnn_vision import list_models
from torchworks.cnn_vision.sizes import images_for, in_torchvision, twins
from torchworks.shared.testing import check_parity, randomise

FAST = (
    "vgg11", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "densenet121", "efficientnet_b0", "mobilenet_v2",
    "mobilenet_v3_small", "mobilenet_v3_large",
)  # fmt: skip
NAMES = [name for name in list_models() if in_torchvision(name)]


def test_torchvision_lacks_the_nets_for_small_images_alone():
    assert sorted(set(list_models()) - set(NAMES)) == ["airbench94", "resnet20", "resnet32", "resnet56"]


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in NAMES])
def test_keys_outputs_gradients_and_statistics_are_torchvisions(name: str):
    ours, theirs = twins(name)
    assert shapes(ours) == shapes(theirs)
    if name == "vit_b_16":
        ours, theirs = twins(name, image_size=32)
    if name.startswith("vgg"):
        narrow_dense_layers(ours)
        narrow_dense_layers(theirs)
    theirs = randomise(theirs.to_empty(device="cpu"))
    check_parity(ours, theirs, images_for(name, vit_size=32), quick=True)


def shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(key, value.shape) for key, value in net.state_dict().items()]


def narrow_dense_layers(net: nn.Module) -> None:
    """A VGG's hundred million weights after the convolutions are three plain layers: 16 features show as much."""
    with torch.device("meta"):
        for index, sizes in {0: (512 * 7 * 7, 16), 3: (16, 16), 6: (16, 10)}.items():
            net.classifier[index] = nn.Linear(*sizes)
