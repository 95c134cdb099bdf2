"""Wrong answers to the exercises of lesson 19."""

import torch


def add_noise__level_along_the_rows(x, t, eps, alpha, sigma):
    return alpha[t] * x + sigma[t] * eps


def add_noise__one_level_for_all(x, t, eps, alpha, sigma):
    return alpha[t[0]] * x + sigma[t[0]] * eps


def clean_image__not_divided(x_t, eps, alpha_t, sigma_t):
    return (x_t - sigma_t * eps).clamp(-1, 1)


def clean_image__not_cut(x_t, eps, alpha_t, sigma_t):
    return (x_t - sigma_t * eps) / alpha_t


def ddim_step__fresh_noise(x_t, eps, level, below):
    clean = (x_t - level[1] * eps) / level[0]
    return below[0] * clean + below[1] * torch.randn_like(eps)


def ddim_step__from_x_t(x_t, eps, level, below):
    return below[0] * x_t + below[1] * eps
