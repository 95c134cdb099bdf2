"""Checks of the exercises of lesson 17."""

import torch
from torch import nn
from torch.nn import functional as F

from torchworks.lessons.checking import expect, expect_close, expect_shape


def quantize_rows(answer):
    weight = torch.randn(5, 16)
    weight[1] *= 100
    weight[2] = 0.0
    integers, scale = answer(weight.clone())
    expect_shape(integers, (5, 16))
    expect_shape(scale, (5, 1), "One scale a row, as a column, so that integers * scale gives the matrix.")
    expect(integers.dtype == torch.int8, f"expected integers of type torch.int8, got {integers.dtype}")
    expect(bool(scale.isfinite().all()), "a scale is NaN or infinite: mind the row of zeros")
    expect(not integers[2].any(), "the row of zeros should be zeros: 0 / 0 is NaN, and NaN as an integer is anything")
    off = ((integers.float() * scale - weight).abs() / scale.clamp(min=1e-9)).amax().item()
    expect(off < 0.501, f"a weight is off by {off:.2f} marks; the nearest mark is half a mark away at most")
    expect(int(integers[0].abs().max()) == 127, "the largest weight of a row should become 127 or -127")


def prune_smallest(answer):
    weight = torch.tensor([[0.5, -0.1, 3.0], [-2.0, 0.2, -0.05]])
    kept = weight.clone()
    for count, wanted in (
        (0, weight),
        (3, torch.tensor([[0.5, 0.0, 3.0], [-2.0, 0.0, 0.0]])),
    ):
        given = answer(weight, count)
        expect_close(given, wanted, f"The {count} of smallest absolute value become 0; -2 is not small.")
    expect(torch.equal(weight, kept), "the given matrix was changed: clone it first")


def remove_neurons(answer):
    first, second, x = nn.Linear(3, 6), nn.Linear(6, 2), torch.randn(7, 3)
    keep = torch.tensor([4, 0, 3])
    before = first.weight.detach().clone()
    narrow, after = answer(first, second, keep)
    expect_shape(narrow.weight.detach(), (3, 3), "The first new layer has a row for each neuron kept.")
    expect_shape(after.weight.detach(), (2, 3), "The second new layer has a column for each neuron kept.")
    hidden = F.relu(first(x)) * torch.zeros(6).index_fill(0, keep, 1.0)
    hint = "The neurons that are gone count as 0, and biases stay: of the neurons kept, and all of the second layer."
    expect_close(after(F.relu(narrow(x))), second(hidden).detach(), hint)
    expect(torch.equal(first.weight, before), "the given layers were changed: make new ones")
