"""Checks of the exercises of lesson 10."""

import torch
from torch import nn

from torchworks.lessons.checking import expect, expect_close, expect_shape


def nearest_mean(answer):
    features = torch.tensor([[0.0, 0.0], [0.0, 2.0], [9.0, 9.0], [11.0, 9.0], [9.0, 0.0]])
    labels = torch.tensor([7, 7, 3, 3, 5])
    given = answer(features, labels, torch.tensor([[1.0, 1.0], [10.0, 8.0], [8.0, 1.0], [0.0, 3.0]]))
    expect_shape(given, (4,))
    expect(given.dtype == torch.int64, f"labels are int64, not {given.dtype}")
    hint = "argmin gives the place of the class among the classes; look the label up there"
    expect(given.tolist() == [7, 3, 5, 7], f"expected [7, 3, 5, 7], got {given.tolist()}; {hint}")


def with_new_head(answer):
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 10))
    given = answer(model, 3)
    expect(isinstance(given, nn.Module), "return the new net")
    expect_shape(given(torch.randn(2, 4)), (2, 3), "The head gives one score for each class.")
    expect(model[2].out_features == 10, "the given model lost its own head; build a new Sequential")
    expect(given[0].weight is model[0].weight, "the first layer is a copy; share it")
    learning = [name for name, value in given.named_parameters() if value.requires_grad]
    expect(learning == ["2.weight", "2.bias"], f"only the new head may learn, but {learning} can")


def layer_rates(answer):
    given = answer(3, 0.8, 0.5)
    expect(isinstance(given, list) and len(given) == 3, "return a list with a rate for each layer")
    expect_close(torch.tensor(given), torch.tensor([0.2, 0.4, 0.8]), "The last layer has the full rate.")
    expect_close(torch.tensor(answer(1, 0.1, 0.5)), torch.tensor([0.1]), "This was a single layer.")
