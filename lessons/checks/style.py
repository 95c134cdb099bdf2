"""Checks of the exercises of lesson 20."""

import torch

from torchworks.lessons.checking import expect, expect_close


def gram(answer):
    maps = torch.randn(2, 3, 4, 5)
    wanted = torch.einsum("nihw,njhw->nij", maps, maps) / 20
    expect_close(answer(maps), wanted, "Each image has a matrix of its own; the mean is over its 4 × 5 places.")


def total_variation(answer):
    flat = torch.full((1, 2, 4, 4), 0.3)
    expect_close(answer(flat), 0.0, "An image of one color is not rough at all.")
    stripes = torch.tensor([0.0, 1.0, 0.0, 1.0]).expand(1, 1, 3, 4)
    expect_close(answer(stripes), 1.0, "Upright stripes: neighbors beside each other differ by 1, those below by 0.")
    lying = stripes.transpose(2, 3)
    expect_close(answer(lying), 1.0, "Lying stripes: neighbors below each other differ by 1, those beside by 0.")


def paint(answer):
    target = torch.tensor([0.2, 0.9, 1.5]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    start = torch.full((1, 3, 2, 2), 0.5)
    given = answer(start, lambda image: (image - target).square().sum() / 2, 1, 0.5)
    expect_close(given, (start + 0.5 * (target - start)).clamp(0, 1), "After one step with rate 0.5.")
    given = answer(start, lambda image: (image - target).square().sum() / 2, 40, 0.5)
    expect_close(given, target.clamp(0, 1), "After many steps: the target, cut to [0, 1].", tolerance=1e-3)
    expect(not given.requires_grad, "the result carries gradient history: detach it")
    expect(bool((start == 0.5).all()), "the image to start from was changed: clone it")
    expect(not start.requires_grad, "the image to start from now requires gradients: clone it first")
