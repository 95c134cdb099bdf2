"""Checks of the exercises of lesson 8."""

import torch
from torch import nn

from torchworks.lessons.checking import expect, expect_close, expect_shape


def dropout(answer):
    x = torch.full((200, 100), 3.0)
    given = answer(x, 0.25, True)
    expect_shape(given, (200, 100))
    share = (given == 0).float().mean().item()
    expect(abs(share - 0.25) < 0.02, f"with rate 0.25 a quarter becomes 0; here it was {share:.0%}")
    expect(abs(given.mean().item() - 3) < 0.1, f"the mean of 3 became {given.mean():.2f}: divide by 1 - rate")
    expect(not torch.equal(answer(x, 0.25, True), given), "two calls dropped the same elements; draw anew each time")
    expect_close(answer(x, 0.25, False), x, "This was outside of training, where nothing changes.")


def ridge_weights(answer):
    x, y = torch.randn(30, 4, dtype=torch.float64), torch.randn(30, dtype=torch.float64)
    expect_close(answer(x, y, 0.0), torch.linalg.lstsq(x, y).solution, "This was strength 0: plain least squares.")
    given = answer(x, y, 5.0)
    slope = 2 * x.T @ (x @ given - y) + 10.0 * given
    hint = "At the lowest point the derivative is 0: (xᵀx + strength · I) w = xᵀy."
    expect_close(slope, torch.zeros(4), f"This was the derivative at your weights for strength 5. {hint}", 1e-6)


def decay_groups(answer):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(8, 2))
    given = answer(net)
    expect(isinstance(given, tuple) and len(given) == 2, "return two lists of names")
    decayed, others = (list(names) for names in given)
    expect("1.weight" not in decayed, "1.weight is the scale of a batch norm: look at its shape, (4,)")
    expect(decayed == ["0.weight", "3.weight"], f"expected ['0.weight', '3.weight'] with decay, got {decayed}")
    expect(others == ["0.bias", "1.weight", "1.bias", "3.bias"], f"the ones without decay were {others}")
