"""Checks of the exercises of lesson 1."""

import torch

from torchworks.lessons.checking import expect, expect_close, expect_shape


def standardize(answer):
    table = torch.randn(50, 4) * torch.tensor([1.0, 5.0, 0.1, 2.0]) + torch.tensor([0.0, 10.0, -3.0, 7.0])
    before = table.clone()
    given = answer(table)
    expect_shape(given, (50, 4))
    expect(torch.equal(table, before), "the table itself was changed; make a new tensor instead (no `-=`)")
    expect_close(given.mean(dim=0), torch.zeros(4), "This was the mean of each column; average over dim=0.", 1e-4)
    expect_close(given.std(dim=0, correction=0), torch.ones(4), "This was the standard deviation of each column.", 1e-4)
    constant = answer(torch.full((5, 2), 3.0))
    expect(constant.isfinite().all(), "a column without spread gives NaN: 0 divided by 0; divide by 1 there")
    expect_close(constant, torch.zeros(5, 2), "This was a table whose columns have no spread.")


def one_hot(answer):
    given = answer(torch.tensor([2, 0, 2]), 4)
    expect_shape(given, (3, 4))
    expect(given.dtype == torch.float32, f"expected float32, got {given.dtype}; a comparison gives bool: add .float()")
    wanted = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0]])
    expect_close(given, wanted, "The 1 belongs at column `label`, counted from 0.")


def pairwise_distances(answer):
    a, b = torch.randn(5, 3), torch.randn(7, 3)
    given = answer(a, b)
    expect_shape(given, (5, 7), "Put a 1 into each shape: (5, 1, 3) and (1, 7, 3).")
    expect_close(given, torch.cdist(a, b), "Square, sum over the last dimension, then take the root.", 1e-4)
    expect_close(answer(a, a).diagonal(), torch.zeros(5), "A point has distance 0 to itself.", 1e-4)
