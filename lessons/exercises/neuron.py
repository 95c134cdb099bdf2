"""Exercises of lesson 3, neuron. Put your code where `...` stands, then: make check-lesson NAME=neuron"""

from torch import Tensor


def neuron(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The probability between 0 and 1 that a neuron gives to each row: x is (N, D), weight (D,), the result (N,)."""
    ...


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean cross entropy, one number, of logits (N, C) and labels (N,); no softmax or loss of PyTorch.

    It must be right for logits such as 1000 too, whose exponential is infinite in float32.
    """
    ...


def count_weights(sizes: list[int]) -> int:
    """How many weights and biases an MLP has whose layers have these sizes, input and output included.

    [4, 8, 3] is an MLP with 4 inputs, 8 hidden neurons and 3 outputs.
    """
    ...
