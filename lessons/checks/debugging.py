"""Checks of the exercises of lesson 14."""

import torch
from torch import nn

from torchworks.lessons.checking import expect, expect_close


def silent_share(answer):
    outputs = torch.tensor([[0.0, 0.0, 2.0, 0.0], [0.0, 1.0, 3.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    given = answer(outputs)
    expect(isinstance(given, float), f"expected a plain float, got a {type(given).__name__}: use .item()")
    expect_close(given, 0.5, "Of four neurons two are 0 in every row; the second fires once, so it is not silent.")


def gradient_norms(answer):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Linear(5, 5))  # the last one is never used
    model[2](model[1](model[0](torch.randn(6, 3)))).square().sum().backward()
    given = answer(model)
    expect(isinstance(given, dict), f"expected a dict, got a {type(given).__name__}")
    wanted = {name: p.grad.norm().item() for name, p in model.named_parameters() if p.grad is not None}
    expect(set(given) == set(wanted), f"expected the names {sorted(wanted)}, got {sorted(given)}")
    for name, norm in wanted.items():
        expect(isinstance(given[name], float), f"{name}: expected a plain float, got a {type(given[name]).__name__}")
        expect_close(given[name], norm, f"This was the norm of the gradient of {name}, not of the weight.")


def record_outputs(answer):
    relu = nn.ReLU()
    model = nn.Sequential(nn.Linear(3, 4), relu, nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 2))
    x = torch.randn(5, 3)
    with torch.no_grad():
        first = relu(model[0](x))
        wanted = [first, model[2](first)]
    given = answer(model, nn.ReLU, x)
    expect(isinstance(given, list), f"expected a list, got a {type(given).__name__}")
    expect(len(given) == 2, f"there are two ReLUs, one of them inside another module; got {len(given)} outputs")
    for one, other in zip(given, wanted, strict=True):
        expect_close(one, other, "Outputs of the layers, in the order in which they are computed.")
        expect(not one.requires_grad, "the outputs carry gradient history, which keeps memory: detach them")
    left = sum(len(layer._forward_hooks) for layer in model.modules())
    expect(left == 0, f"{left} hooks are left on the model; `handle.remove()` takes one off")
