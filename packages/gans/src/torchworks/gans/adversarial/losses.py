"""Adversarial losses and gradient penalties.

Notation: D gives a logit; x is a real image, x̂ = G(z) a generated one; E is the mean over the batch. Losses and
penalties are computed in fp32 whatever the nets run in.

| name | discriminator minimizes | generator minimizes | reference |
|---|---|---|---|
| hinge | E max(0, 1 − D(x)) + E max(0, 1 + D(x̂)) | −E D(x̂) | Lim & Ye 2017, eq. 1; Miyato 2018, eq. 16–17 |
| non-saturating | E softplus(−D(x)) + E softplus(D(x̂)) | E softplus(−D(x̂)) | Goodfellow 2014, sec. 3 |
| least-squares | ½E (D(x) − 1)² + ½E D(x̂)² | ½E (D(x̂) − 1)² | Mao 2017, eq. 9 |
| wasserstein | E D(x̂) − E D(x) | −E D(x̂) | Arjovsky 2017, Algorithm 1 |
| relativistic | E softplus(−(D(x) − D(x̂))) | E softplus(−(D(x̂) − D(x))) | Jolicoeur-Martineau 2019; Huang 2024, eq. 2 |

Wasserstein's needs a discriminator whose slope is bounded: spectral normalization, clipped weights (Arjovsky 2017), or
the penalty λ E (‖∇D(x̃)‖ − 1)² of `gradient_penalty` (Gulrajani 2017).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class AdversarialLoss:
    """A pair of losses on logits (N,): `discriminator(real, fake)` and `generator(real, fake)`.

    `relative` says that the generator's loss compares with the real logits; the others ignore that argument,
    so that the real images need not pass through the discriminator in the generator's step.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor | None, Tensor], Tensor]
    relative: bool = False


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.relu(1 - real.float()).mean() + F.relu(1 + fake.float()).mean()


def nonsaturating_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean()


def nonsaturating_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return F.softplus(-fake.float()).mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return ((real.float() - 1).square().mean() + fake.float().square().mean()) / 2


def least_squares_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    return (fake.float() - 1).square().mean() / 2


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return fake.float().mean() - real.float().mean()


def raise_logits(real: Tensor | None, fake: Tensor) -> Tensor:
    """The generator's side of hinge and Wasserstein: −E D(x̂)."""
    return -fake.float().mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-(real.float() - fake.float())).mean()


def relativistic_generator(real: Tensor | None, fake: Tensor) -> Tensor:
    assert real is not None
    return F.softplus(-(fake.float() - real.float())).mean()


LOSSES = {
    "hinge": AdversarialLoss(hinge_discriminator, raise_logits),
    "non-saturating": AdversarialLoss(nonsaturating_discriminator, nonsaturating_generator),
    "least-squares": AdversarialLoss(least_squares_discriminator, least_squares_generator),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, raise_logits),
    "relativistic": AdversarialLoss(relativistic_discriminator, relativistic_generator, relative=True),
}


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor
) -> tuple[Tensor, Tensor]:
    """(‖∇D(x̃)‖ − 1)² of each row (N,), and ‖∇D(x̃)‖ (N,), at x̃ = ε x + (1 − ε) x̂ (Gulrajani et al. 2017, eq. 3).

    `real` x and `fake` x̂ (N, …) have the same shape, `mix` ε (N,) lies in [0, 1]; `critic` must treat its rows apart.
    """
    between = torch.lerp(fake.detach().float(), real.float(), mix.view(-1, *[1] * (real.ndim - 1))).requires_grad_()
    slopes = (squared_slopes(critic(between), between) + 1e-12).sqrt()  # at 0 a root has no derivative
    return (slopes - 1).square(), slopes


def squared_slopes(logits: Tensor, images: Tensor) -> Tensor:
    """‖∇ₓ D(x)‖² of each image (N,), differentiable with respect to D.

    `logits` (N,) must come from `images` (N, C, H, W), which require gradients, through a net that treats its
    rows apart. The mean over real images is R1, over generated ones R2 (Mescheder et al. 2018, eq. 9 and 10);
    both are used with a factor γ/2.
    """
    (slopes,) = torch.autograd.grad(logits.float().sum(), images, create_graph=True)
    return slopes.float().square().flatten(1).sum(dim=1)
