"""One way to answer the exercises of lesson 2."""

from collections.abc import Callable

import torch
from torch import Tensor


def numerical_gradient(function: Callable[[Tensor], Tensor], x: Tensor, step: float = 1e-4) -> Tensor:
    gradient = torch.zeros_like(x)
    for place in range(x.numel()):
        moved = torch.zeros_like(x)
        moved.view(-1)[place] = step
        gradient.view(-1)[place] = (function(x + moved) - function(x - moved)) / (2 * step)
    return gradient


def linear_backward(x: Tensor, weight: Tensor, grad_output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return grad_output @ weight, grad_output.T @ x, grad_output.sum(dim=0)


def topological_order(parents: dict[str, list[str]]) -> list[str]:
    order: list[str] = []

    def visit(node: str) -> None:
        if node not in order:
            for parent in parents[node]:
                visit(parent)
            order.append(node)

    for node in parents:
        visit(node)
    return order
