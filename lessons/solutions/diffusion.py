"""One way to answer the exercises of lesson 19."""

from torch import Tensor


def add_noise(x: Tensor, t: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    return alpha[t].view(-1, 1, 1, 1) * x + sigma[t].view(-1, 1, 1, 1) * eps


def clean_image(x_t: Tensor, eps: Tensor, alpha_t: float, sigma_t: float) -> Tensor:
    return ((x_t - sigma_t * eps) / alpha_t).clamp(-1, 1)


def ddim_step(x_t: Tensor, eps: Tensor, level: tuple[float, float], below: tuple[float, float]) -> Tensor:
    clean = (x_t - level[1] * eps) / level[0]
    return below[0] * clean + below[1] * eps
