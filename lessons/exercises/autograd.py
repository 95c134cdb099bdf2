"""Exercises of lesson 2, autograd. Put your code where `...` stands, then: make check-lesson NAME=autograd"""

from collections.abc import Callable

from torch import Tensor


def numerical_gradient(function: Callable[[Tensor], Tensor], x: Tensor, step: float = 1e-4) -> Tensor:
    """How `function`, which returns one number, changes with each element of `x`: the shape is that of `x`.

    Move one element up and down by `step` (a central difference); do not use autograd. `x` is float64, of any shape,
    and stays as it is.
    """
    ...


def linear_backward(x: Tensor, weight: Tensor, grad_output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of a linear layer, `output = x @ weight.T + bias`, by x, weight and bias, without autograd.

    `x` is (N, in), `weight` (out, in), and `grad_output`, how the loss changes with each output, (N, out).
    """
    ...


def topological_order(parents: dict[str, list[str]]) -> list[str]:
    """All nodes of a graph, each after all of its parents, so that reversed it is the order of the backward pass.

    `parents` names for each node those that it is computed from, for example {"a": [], "b": ["a"], "c": ["a", "b"]}.
    """
    ...
