"""Checks of the exercises of lesson 15."""

import torch

from torchworks.lessons.checking import expect, expect_close


def warmup_linear(answer):
    for step, wanted in ((0, 1 / 5), (3, 4 / 5), (4, 1.0), (9, 0.5), (14, 0.0)):
        given = answer(step, 4, 15)
        expect(isinstance(given, int | float), f"expected a plain float, got a {type(given).__name__}")
        expect_close(float(given), wanted, f"This is step {step} of 15 with a warm-up of 4: expected {wanted:.3f}.")


def rounding_error(answer):
    x = torch.tensor([1.0, -257.0, 0.1], dtype=torch.float64)
    for dtype in (torch.bfloat16, torch.float16):
        wanted = ((x.to(dtype).double() - x) / x).abs().max().item()
        given = answer(x.clone(), dtype)
        expect(isinstance(given, float), f"expected a plain float, got a {type(given).__name__}: use .item()")
        expect_close(given, wanted, f"{x.tolist()} in {dtype}: divide by |x|, and compute in float64.", tolerance=1e-7)


def scaled_step(answer):
    weight, scale = torch.ones(3), 1024.0
    gradient = (torch.tensor([1e-6, -2e-6, 4e-6]) * scale).half()
    given, next_scale = answer(weight.clone(), gradient, scale, 1e4)
    expect(given.dtype == torch.float32, f"the weight became {given.dtype}: unscale in float32")
    wanted = weight - 1e4 * gradient.float() / scale
    expect_close(given, wanted, "Divide the gradient by the scale, in float32, before the step.", tolerance=1e-6)
    expect(next_scale == scale, f"nothing overflowed, so the scale stays {scale}; got {next_scale}")
    broken = gradient.clone()
    broken[1] = torch.inf
    given, next_scale = answer(weight.clone(), broken, scale, 1e4)
    expect_close(given, weight, "One element overflowed, so no weight takes a step.")
    expect(
        next_scale == scale / 2, f"one element overflowed: expected half of the scale, {scale / 2}, got {next_scale}"
    )
