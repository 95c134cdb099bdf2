"""Checks of the exercises of lesson 9."""

import torch
from torch.nn import functional as F

from torchworks.lessons.checking import expect, expect_close


def output_size(answer):
    for size, kernel, stride, padding, dilation in (
        (8, 3, 1, 0, 1),
        (8, 3, 1, 1, 1),
        (9, 3, 2, 1, 1),
        (8, 3, 2, 1, 1),
        (12, 3, 1, 0, 2),
        (15, 4, 3, 2, 3),
    ):
        layer = torch.nn.Conv2d(1, 1, kernel, stride, padding, dilation)
        wanted = layer(torch.zeros(1, 1, size, size)).shape[-1]
        given = answer(size, kernel, stride, padding, dilation)
        said = f"size {size}, kernel {kernel}, stride {stride}, padding {padding}, dilation {dilation}"
        hint = "padding counts twice, and what does not fill a whole step is dropped (//)"
        expect(given == wanted, f"{said}: expected {wanted}, got {given}; {hint}")


def max_pool(answer):
    images = torch.randn(2, 3, 6, 8)
    expect_close(answer(images, 2), F.max_pool2d(images, 2), "Split each side: (rows, size), (columns, size).")
    odd = torch.randn(1, 2, 7, 5) - 5
    expect_close(answer(odd, 3), F.max_pool2d(odd, 3), "These were sides of 7 and 5, and only negative values.")


def receptive_field(answer):
    for layers, wanted in (
        ([], 1),
        ([(3, 1)], 3),
        ([(3, 1), (3, 1)], 5),
        ([(3, 2), (3, 1)], 7),
        ([(7, 2), (3, 2), (3, 1)], 19),
    ):
        given = answer(list(layers))
        hint = "each layer adds (kernel - 1) steps, and a step is as wide as all strides before it together"
        expect(given == wanted, f"{layers}: expected {wanted}, got {given}; {hint}")
