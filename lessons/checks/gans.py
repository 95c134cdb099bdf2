"""Checks of the exercises of lesson 18."""

import torch
from torch import nn
from torch.nn import functional as F

from torchworks.lessons.checking import expect, expect_close


def discriminator_loss(answer):
    g, d = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    real, fake = torch.randn(6, 2), g(torch.randn(9, 3))
    given = answer(d, real, fake)
    with torch.no_grad():
        wanted = F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()
    expect_close(given, wanted, "softplus(-D(real)) and softplus(D(fake)), each the mean over its own points.")
    expect(given.requires_grad, "the loss has no gradient, so D cannot learn by it")
    given.backward()
    expect(d[0].weight.grad is not None, "D gets no gradient")
    expect(g.weight.grad is None, "the generator gets a gradient from D's loss: detach the fake points")


def r1_penalty(answer):
    d = nn.Linear(3, 1)
    d.weight.data = torch.tensor([[1.0, 2.0, 2.0]])
    given = answer(d, torch.randn(5, 3))
    expect_close(given, 9.0, "D(x) = x₁ + 2 x₂ + 2 x₃ has the slope (1, 2, 2) everywhere, of squared length 9.")
    expect(given.requires_grad, "the penalty has no gradient for D: create_graph=True")
    given.backward()
    expect_close(d.weight.grad, torch.tensor([[2.0, 4.0, 4.0]]), "This is the penalty's gradient for D's weights.")
    images = torch.randn(4, 1, 2, 2)
    deep = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    expect_close(answer(deep, images), deep[1].weight.detach().square().sum(), "Points may be images: flatten slopes.")


def coverage(answer):
    centers = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = torch.cat([torch.zeros(6, 2), torch.tensor([[10.0, 0.5]] * 3), torch.tensor([[4.0, 4.0]])])
    for radius, share, wanted, hint in (
        (1.0, 0.3, 2, "six points lie at the first center, three of ten at the second, none at the third"),
        (1.0, 0.32, 1, "the second center has three of ten points, less than 32 %: the point at sea counts too"),
        (0.2, 0.1, 1, "with a radius of 0.2 the three points near the second center are too far away"),
        (100.0, 0.2, 2, "a point belongs to its nearest center only, however large the radius"),
    ):
        given = answer(points, centers, radius, share)
        expect(given == wanted, f"radius {radius}, share {share}: expected {wanted}, got {given}; {hint}")
