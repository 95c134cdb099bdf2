"""Wrong answers to the exercises of lesson 2."""

import torch


def numerical_gradient__one_sided_width(function, x, step=1e-4):
    gradient = torch.zeros_like(x)
    for place in range(x.numel()):
        moved = torch.zeros_like(x)
        moved.view(-1)[place] = step
        gradient.view(-1)[place] = (function(x + moved) - function(x - moved)) / step
    return gradient


def numerical_gradient__not_put_back(function, x, step=1e-4):
    gradient = torch.zeros_like(x)
    for place in range(x.numel()):
        before = function(x)
        x.view(-1)[place] += step
        gradient.view(-1)[place] = (function(x) - before) / step
    return gradient


def linear_backward__mean_bias(x, weight, grad_output):
    return grad_output @ weight, grad_output.T @ x, grad_output.mean(dim=0)


def linear_backward__turned(x, weight, grad_output):
    return grad_output @ weight, x.T @ grad_output, grad_output.sum(dim=0)


def topological_order__as_written(parents):
    return list(parents)


def topological_order__twice(parents):
    order = []

    def visit(node):
        for parent in parents[node]:
            visit(parent)
        order.append(node)

    visit("loss")
    return order
