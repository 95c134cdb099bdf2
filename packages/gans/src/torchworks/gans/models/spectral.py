"""Spectral normalization: layers whose weight is divided by its largest singular value.

Miyato, Kataoka, Koyama & Yoshida 2018, "Spectral Normalization for Generative Adversarial Networks" (ICLR).

A discriminator that may grow without bound gives the generator gradients of any size. Dividing each weight W by
its spectral norm σ(W) makes every layer 1-Lipschitz. One step of power iteration per training pass follows σ as
the weights move (Algorithm 1):

    v ← Wᵀu / ‖Wᵀu‖      u ← Wv / ‖Wv‖      σ(W) ≈ uᵀWv      W_SN = W / σ(W)

What differs from `torch.nn.utils.parametrizations.spectral_norm`: the keys of the state dict stay those of the
plain layer (`weight`, `bias`) plus the vector `u`; and σ is computed in fp32 under autocast too, where a matrix
product in bf16 would leave it three digits.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def spectral_norm(weight: Tensor, u: Tensor, *, update: bool) -> Tensor:
    """σ(W), a 0-d tensor, of `weight` (out, …) seen as a matrix; gradients treat the singular vectors as
    constants (eq. 12). With `update`, one power iteration first improves `u` (out,) in place."""
    with torch.autocast(weight.device.type, enabled=False):
        matrix = weight.flatten(1)
        with torch.no_grad():
            v = F.normalize(matrix.T @ u, dim=0)
            if update:
                u.copy_(matrix @ v)
            unit = F.normalize(u, dim=0)  # a copy: a second forward pass moves `u` before the first one's backward
        return torch.dot(unit, matrix @ v)


class _Spectral:
    """What the layers below share: the vector `u` and the weight it normalizes."""

    weight: nn.Parameter
    u: Tensor
    training: bool

    def settle(self, iterations: int = 15) -> None:
        """Bring `u` up to the present weight; call after initializing the weight."""
        for _ in range(iterations):
            spectral_norm(self.weight.detach(), self.u, update=True)

    def normalized(self) -> Tensor:
        return self.weight / spectral_norm(self.weight, self.u, update=self.training)


class SpectralConv2d(_Spectral, nn.Conv2d):
    """`nn.Conv2d` with spectral normalization over (out_channels, in_channels·kernel²)."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("u", F.normalize(torch.randn(self.out_channels), dim=0))
        self.settle()

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.normalized(), self.bias)


class SpectralLinear(_Spectral, nn.Linear):
    """`nn.Linear` with spectral normalization."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("u", F.normalize(torch.randn(self.out_features), dim=0))
        self.settle()

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.normalized(), self.bias)


class SpectralEmbedding(_Spectral, nn.Embedding):
    """`nn.Embedding` with spectral normalization of the whole table."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("u", F.normalize(torch.randn(self.num_embeddings), dim=0))
        self.settle()

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.normalized())
