"""Checks of the exercises of lesson 16."""

import torch
from torch import nn

from torchworks.lessons.checking import expect, expect_close


def my_rows(answer):
    for count, world in ((5, 2), (8, 4), (7, 3)):
        found = [list(answer(count, rank, world)) for rank in range(world)]
        each = -(-count // world)
        expect(
            all(len(rows) == each for rows in found),
            f"{count} samples, {world} processes: each needs {each}, got {[len(rows) for rows in found]}; "
            "with unequal numbers some process waits for ever",
        )
        wanted = [[(rank + world * i) % count for i in range(each)] for rank in range(world)]
        expect(found == wanted, f"{count} samples, {world} processes: expected {wanted}, got {found}")


def mean_gradient(answer):
    gradients, sizes = [torch.tensor([1.0, 0.0]), torch.tensor([5.0, 2.0])], [3, 1]
    given = answer([g.clone() for g in gradients], sizes)
    expect_close(
        given, torch.tensor([2.0, 0.5]), "Three samples of the one part count three times the one of the other."
    )


def average_gradients(answer):
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2, bias=False))
    first, bias, second = model.parameters()
    first.grad, second.grad = torch.ones_like(first), torch.full_like(second, 4.0)  # none for the bias
    asked = []

    def all_reduce(tensor):  # the two other processes have a gradient of 2 everywhere
        asked.append(tuple(tensor.shape))
        tensor += 4.0

    answer(model, all_reduce, 3)
    shapes = [(2, 3), (2,), (2, 2)]
    expect(
        asked == shapes,
        f"all_reduce was called with the shapes {asked}, the other processes call it with {shapes}: "
        "they would wait for each other for ever",
    )
    hint = "all_reduce gives the sum of three processes, and the mean is wanted."
    expect_close(first.grad, torch.full((2, 3), 5 / 3), hint)
    expect_close(bias.grad, torch.full((2,), 4 / 3), hint)
    expect_close(second.grad, torch.full((2, 2), 8 / 3), hint)
