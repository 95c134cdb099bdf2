"""Checks of the exercises of lesson 19."""

import torch

from torchworks.lessons.checking import expect_close


def add_noise(answer):
    angle = torch.linspace(0.1, 1.4, 6)
    alpha, sigma = angle.cos(), angle.sin()
    x, eps, t = torch.randn(4, 1, 4, 4), torch.randn(4, 1, 4, 4), torch.tensor([0, 5, 2, 2])
    wanted = torch.stack([alpha[k] * x[i] + sigma[k] * eps[i] for i, k in enumerate(t.tolist())])
    hint = "Each image has its own level: alpha[t] is (N,), and must become (N, 1, 1, 1)."
    expect_close(answer(x, t, eps, alpha, sigma), wanted, hint)


def clean_image(answer):
    image = torch.rand(3, 1, 4, 4) * 2 - 1
    eps = torch.randn_like(image)
    given = answer(0.6 * image + 0.8 * eps, eps, 0.6, 0.8)
    expect_close(given, image, "Solve x_t = alpha · x_0 + sigma · eps for x_0.", tolerance=1e-4)
    given = answer(0.6 * 3 * image + 0.8 * eps, eps, 0.6, 0.8)
    expect_close(given, (3 * image).clamp(-1, 1), "Values beyond -1 and 1 are cut.", tolerance=1e-4)


def ddim_step(answer):
    image, eps = torch.randn(5, 2) * 2, torch.randn(5, 2)
    x_t = 0.28 * image + 0.96 * eps
    wanted = 0.6 * image + 0.8 * eps
    hint = "The clean image times the lower alpha, plus the same noise times the lower sigma."
    expect_close(answer(x_t, eps, (0.28, 0.96), (0.6, 0.8)), wanted, hint, tolerance=1e-4)
    expect_close(answer(x_t, eps, (0.28, 0.96), (1.0, 0.0)), image, "At (1, 0) no noise is left.", tolerance=1e-4)
