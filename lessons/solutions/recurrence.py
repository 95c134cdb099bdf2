"""One way to answer the exercises of lesson 11."""

import torch
from torch import Tensor


def gru_step(x: Tensor, h: Tensor, weight_x: Tensor, weight_h: Tensor, bias_x: Tensor, bias_h: Tensor) -> Tensor:
    reset_x, update_x, new_x = (x @ weight_x.T + bias_x).chunk(3, dim=1)
    reset_h, update_h, new_h = (h @ weight_h.T + bias_h).chunk(3, dim=1)
    reset, update = (reset_x + reset_h).sigmoid(), (update_x + update_h).sigmoid()
    new = (new_x + reset * new_h).tanh()
    return (1 - update) * new + update * h


def last_outputs(outputs: Tensor, lengths: Tensor) -> Tensor:
    return outputs[torch.arange(len(outputs)), lengths - 1]


def clip_gradients(gradients: list[Tensor], limit: float) -> list[Tensor]:
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    return [gradient * (limit / norm).clamp(max=1.0) for gradient in gradients]
