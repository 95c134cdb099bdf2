"""DeepLabV3 is equal to torchvision's on all three backbones, and keeps the contract of models."""

from collections.abc import Callable

import pytest
import torch
import torchvision.models.segmentation as reference
from torch import Tensor, nn

from torchworks.cnn_vision.models import deeplab
from torchworks.cnn_vision.models.deeplab import DeepLabV3
from torchworks.shared.testing import check_model, check_parity, randomize

NAMES = ("deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large")
QUICK = "deeplabv3_mobilenet_v3_large"


def without_dropout(net: nn.Module) -> nn.Module:
    """Both sides would drop the same, but fp32 and fp64 would not."""
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net


class Heads(nn.Module):
    """A net by what its heads give, in a dict as torchvision has it."""

    def __init__(self, net: DeepLabV3):
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.net.outputs(images)


@pytest.mark.parametrize("aux_loss", [False, True], ids=["one_head", "auxiliary_head"])
@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_are_torchvisions(name: str, aux_loss: bool):
    with torch.device("meta"):
        ours = getattr(deeplab, name)(aux_loss=aux_loss)
        theirs = getattr(reference, name)(weights=None, weights_backbone=None, aux_loss=aux_loss)
    assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize("name", [QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[:2])])
def test_outputs_gradients_and_statistics_of_both_heads_are_torchvisions(name: str):
    with torch.device("meta"):
        ours = without_dropout(Heads(getattr(deeplab, name)(num_classes=5, aux_loss=True)))
        build = getattr(reference, name)
        theirs = build(weights=None, weights_backbone=None, num_classes=5, aux_loss=True)
    theirs = without_dropout(randomize(theirs.to_empty(device="cpu")))
    images = torch.randn(2, 3, 33, 33, generator=torch.Generator().manual_seed(0))
    check_parity(ours, theirs, images, key_map=lambda key: f"net.{key}", quick=True)


@pytest.mark.parametrize(
    "build", [deeplab.deeplabv3_resnet20, pytest.param(deeplab.deeplabv3_mobilenet_v3_large, marks=pytest.mark.slow)]
)
def test_the_contract_of_models_is_kept(build: Callable[..., DeepLabV3]):
    images = torch.randn(2, 1, 32, 32)
    check_model(
        lambda: without_dropout(build(num_classes=4, in_channels=1)),
        images,
        shapes=(2, 4, 32, 32),
        bf16_tol=0.2,
    )


def test_the_auxiliary_head_is_for_training():
    net = deeplab.deeplabv3_resnet20(num_classes=4, aux_loss=True)
    images = torch.randn(2, 3, 32, 32)
    outputs = net(images)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "out": (2, 4, 32, 32),
        "aux": (2, 4, 32, 32),
    }
    assert net.eval()(images).shape == (2, 4, 32, 32)


def shapes(net: nn.Module) -> list[tuple[str, torch.Size]]:
    return [(key, value.shape) for key, value in net.state_dict().items()]
