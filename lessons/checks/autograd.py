"""Checks of the exercises of lesson 2."""

import torch

from torchworks.lessons.checking import expect, expect_close, expect_shape


def numerical_gradient(answer):
    x = torch.randn(2, 3, dtype=torch.float64)
    before = x.clone()
    given = answer(lambda x: (x**3).sum(), x)
    expect_shape(given, (2, 3), "The gradient has a number for each element of x.")
    expect(torch.equal(x, before), "x was changed; move a copy")
    expect_close(given, 3 * x**2, "Up minus down, divided by 2 * step: the two points are two steps apart.", 1e-5)
    mixed = answer(lambda x: x.prod(), x)
    expect_close(mixed, x.prod() / x, "Move one element at a time and put it back before the next.", 1e-5)


def linear_backward(answer):
    x = torch.randn(5, 3, requires_grad=True)
    layer = torch.nn.Linear(3, 2)
    grad_output = torch.randn(5, 2)
    layer(x).backward(grad_output)
    given = answer(x.detach(), layer.weight.detach(), grad_output)
    expect(isinstance(given, tuple | list) and len(given) == 3, "return three tensors: by x, by weight, by bias")
    hints = (
        "by x: each input reaches every output by a weight",
        "by weight: sum over samples",
        "by bias: sum over dim=0",
    )
    for value, wanted, hint in zip(given, (x.grad, layer.weight.grad, layer.bias.grad), hints, strict=True):
        expect_close(value, wanted, f"This was the gradient {hint}.")


def topological_order(answer):
    graph = {"loss": ["score", "target"], "score": ["h", "w"], "h": ["x", "w"], "x": [], "w": [], "target": []}
    given = answer(graph)
    expect(isinstance(given, list), "return a list of names")
    expect(sorted(given) == sorted(graph), f"each node belongs into the list once: got {given}")
    for node, parents in graph.items():
        for parent in parents:
            expect(given.index(parent) < given.index(node), f"{node} is computed from {parent} and must come after it")
