"""Variational autoencoder: a code of known distribution, from which new images can be sampled.

Kingma & Welling 2014, "Auto-Encoding Variational Bayes" (arXiv:1312.6114).
Higgins et al. 2017, "β-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework" (ICLR).

The idea: the encoder answers with a distribution q(z|x) of codes, the decoder with a distribution p(x|z) of images, and
both maximize a lower bound of log p(x), with z drawn from q so that gradients pass through it:

    q(z|x) = N(μ(x), σ²(x)),  p(z) = N(0, 1),  p(x|z) = Bernoulli(g(z))
    z = μ + σ ε,  ε ~ N(0, 1)                                                               K&W eq. (10), section 2.4
    −KL(q(z|x) ‖ p(z)) = ½ Σ_j (1 + log σ_j² − μ_j² − σ_j²)                                 K&W eq. (10), appendix B
    log p(x|z) = Σ_i x_i log g_i + (1 − x_i) log(1 − g_i)                                   K&W appendix C.1
    ELBO = E_q log p(x|z) − KL(q(z|x) ‖ p(z)) ≤ log p(x)                                    K&W eq. (3)
    β-VAE maximizes E_q log p(x|z) − β KL(q(z|x) ‖ p(z))                                    Higgins et al. eq. (4)

Grey pixels x in [0, 1] are the probabilities that a pixel of a black and white image is white: as log p(x|z) is linear
in x, the ELBO is the mean bound over all such images, in nats an image. With β > 1 fewer numbers of the code are used,
each for something of its own; what is reported is always the ELBO itself, without β.

Shape letters: N images, C channels, S pixels, D numbers of a code.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.cnn_vision.models.autoencoder import Decoder, Encoder


class VAE(nn.Module):
    """Images (N, C, S, S) in [0, 1] → μ (N, D), log σ² (N, D) by `encode`; codes → logits of images by `decoder`."""

    def __init__(self, image_size: int, *, channels: int = 1, code: int = 16, width: int = 32):
        super().__init__()
        self.encoder = Encoder(image_size, channels, width, 2 * code)
        self.decoder = Decoder(image_size, channels, width, code)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(2 * images - 1).float().chunk(2, 1)
        return mean, log_variance.clamp(-12, 12)  # σ from 0.002 to 400: exp cannot overflow

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of images, μ and log σ², with `noise` ε (N, D)."""
        mean, log_variance = self.encode(images)
        return self.decoder(mean + (log_variance / 2).exp() * noise).float(), mean, log_variance


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z|x) ‖ p(z)) of each number of the code, (N, D), in nats."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp())


def log_likelihood(logits: Tensor, images: Tensor) -> Tensor:
    """log p(x|z) of each image, (N,), in nats."""
    return -F.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)


def interpolated(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Codes (N, steps, D) on the great circle from one code (N, D) to another, at lengths between theirs: straight
    lines pass nearer to 0 than codes that are normally distributed ever are (White 2016, arXiv:1609.04468)."""
    share = torch.linspace(0, 1, steps, device=start.device)[:, None]  # (steps, 1)
    lengths = start.norm(dim=1), end.norm(dim=1)
    a, b = (code / length[:, None].clamp(min=1e-8) for code, length in zip((start, end), lengths, strict=True))
    angle = (a * b).sum(1).clamp(-1 + 1e-6, 1 - 1e-6).acos()[:, None, None]  # (N, 1, 1)
    direction = (((1 - share) * angle).sin() * a[:, None] + (share * angle).sin() * b[:, None]) / angle.sin()
    length = lengths[0][:, None, None].lerp(lengths[1][:, None, None], share)
    return direction * length
