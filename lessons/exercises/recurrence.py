"""Exercises of lesson 11, recurrence. Put your code where `...` stands, then: make check-lesson NAME=recurrence"""

from torch import Tensor


def gru_step(x: Tensor, h: Tensor, weight_x: Tensor, weight_h: Tensor, bias_x: Tensor, bias_h: Tensor) -> Tensor:
    """The state after one step of a gated recurrent unit: x (N, D), h (N, H) → (N, H).

    Weights are (3H, D) and (3H, H), biases (3H,), in the order reset, update, new, as PyTorch has them:
        r = sigmoid(Wr x + br + Vr h + cr)
        z = sigmoid(Wz x + bz + Vz h + cz)
        n = tanh(Wn x + bn + r * (Vn h + cn))
        h' = (1 - z) * n + z * h
    """
    ...


def last_outputs(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Of outputs (N, T, H) of padded sequences, those at the last step that is no padding: (N, H); no loop."""
    ...


def clip_gradients(gradients: list[Tensor], limit: float) -> list[Tensor]:
    """The gradients, all scaled by the same factor such that their common norm is at most `limit`.

    The common norm is the root of the sum of all squares in all tensors. Short gradients stay as they are.
    """
    ...
