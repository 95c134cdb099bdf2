"""The all-convolutional net."""

import torch
from torch import nn

from torchworks.diffusion import AllCNN
from torchworks.shared.testing import check_model, check_parity, randomize


def test_it_keeps_the_models_contract():
    check_model(lambda: AllCNN(10, width=4), torch.randn(4, 1, 16, 16), shapes=(4, 10))


def test_it_is_convolutions_norms_and_a_mean_over_the_map():
    reference = nn.Sequential(
        *(*layer(1, 4, 3, 1), *layer(4, 4, 3, 2), *layer(4, 8, 3, 1), *layer(8, 8, 3, 2), *layer(8, 8, 1, 1)),
        *(nn.Conv2d(8, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )
    check_parity(AllCNN(3, width=4), randomize(reference), torch.randn(2, 1, 9, 12), key_map=key_of)


def layer(in_channels: int, out_channels: int, size: int, stride: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(in_channels, out_channels, size, stride, padding=size // 2, bias=False)
    return conv, nn.BatchNorm2d(out_channels), nn.ReLU()


def key_of(key: str) -> str:
    """Our key of a tensor of the reference, whose layers count from 0 to 14 and the classifier is 15."""
    number, name = key.split(".", 1)
    return f"classifier.{name}" if number == "15" else f"features.{int(number) // 3}.{int(number) % 3}.{name}"
