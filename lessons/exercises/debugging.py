"""Exercises of lesson 14, debugging. Put your code where `...` stands, then: make check-lesson NAME=debugging"""

from torch import Tensor, nn


def silent_share(outputs: Tensor) -> float:
    """The share of neurons that are 0 for every sample, as a plain float.

    `outputs` (N, F) are those of a ReLU layer for N samples; a neuron that fires for a single sample is not silent.
    """
    ...


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """The Euclidean norm of the gradient of each parameter, by the parameter's name, as plain floats.

    Parameters without a gradient (`grad` is None) are left out.
    """
    ...


def record_outputs(model: nn.Module, kind: type[nn.Module], x: Tensor) -> list[Tensor]:
    """The outputs of all layers of the class `kind` in `model`, in the order in which they are computed for `x`.

    The outputs carry no gradient history, and the model has no hook more than before.
    """
    ...
