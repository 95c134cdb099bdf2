"""Checks of the exercises of lesson 4."""

import torch
from torch.nn import functional as F

from torchworks.lessons.checking import expect, expect_close


def huber(answer):
    error = torch.tensor([-3.0, -1.0, -0.2, 0.0, 0.5, 2.0, 10.0])
    for delta in (1.0, 2.0):
        wanted = F.huber_loss(error, torch.zeros(7), reduction="none", delta=delta)
        given = answer(error, delta)
        expect(bool((torch.as_tensor(given) >= 0).all()), "a loss below 0: take the absolute value of the error first")
        expect_close(given, wanted, f"This was delta = {delta:g}; half the square near 0, a straight line beyond.")


def momentum_step(answer):
    weight, velocity = torch.tensor([1.0, -2.0]), torch.zeros(2)
    expected = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = torch.optim.SGD([expected], lr=0.1, momentum=0.9)
    for step in range(3):
        gradient = torch.tensor([1.0, 0.5 * step])
        kept = weight.clone(), velocity.clone()
        given = answer(weight, gradient, velocity, 0.1, 0.9)
        unchanged = torch.equal(weight, kept[0]) and torch.equal(velocity, kept[1])
        expect(unchanged, "what was given was changed in place; return new tensors")
        expect(isinstance(given, tuple) and len(given) == 2, "return the weight and the velocity")
        weight, velocity = given
        expected.grad = gradient
        optimizer.step()
        expect_close(weight, expected, f"This was step {step + 1}: first the velocity, keep * v + g, then the weight.")


def best_constant(answer):
    y = torch.tensor([1.0, 2.0, 3.0, 4.0, 100.0])
    expect_close(answer(y, "squared"), 22.0, "The derivative of the squared error is 0 where errors sum to 0.")
    expect_close(answer(y, "absolute"), 3.0, "The derivative counts: as many above as below. The 100 counts once.")
