"""Exercises of lesson 19, diffusion. Put your code where `...` stands, then: make check-lesson NAME=diffusion"""

from torch import Tensor


def add_noise(x: Tensor, t: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """alpha_t · x + sigma_t · eps, where row i has the level `t[i]`.

    `x` and `eps` are (N, C, H, W), `t` is (N,), `alpha` and `sigma` are (T,).
    """
    ...


def clean_image(x_t: Tensor, eps: Tensor, alpha_t: float, sigma_t: float) -> Tensor:
    """The image x_0 of which x_t = alpha_t · x_0 + sigma_t · eps, cut to [-1, 1]."""
    ...


def ddim_step(x_t: Tensor, eps: Tensor, level: tuple[float, float], below: tuple[float, float]) -> Tensor:
    """x at the lower level: the clean image and the same noise, put together anew. A level is (alpha, sigma).

    The clean image is not cut here. At (1, 0) it is the result.
    """
    ...
