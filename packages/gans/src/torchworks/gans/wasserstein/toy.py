"""Critics of points in the plane, trained to be as good as they can: what clipped weights do, and what the penalty
does.

Gulrajani et al. 2017 (arXiv:1704.00028), section 3 and figure 2: the generated points stand still, at the real ones
with normally distributed noise added, so that the critic alone learns."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from torchworks.gans.adversarial.losses import LOSSES, gradient_penalty

DEPTH, WIDTH = 12, 64
BATCH, RATE, PENALTY = 128, 1e-3, 10.0


def eight_gaussians(n: int, random: torch.Generator) -> Tensor:
    """Points (n, 2): eight narrow normal distributions on a circle of radius 1.4."""
    angle = torch.randint(8, (n,), generator=random) * (math.pi / 4)
    middle = 1.4 * torch.stack([angle.cos(), angle.sin()], dim=1)
    return middle + 0.03 * torch.randn(n, 2, generator=random)


def swiss_roll(n: int, random: torch.Generator) -> Tensor:
    """Points (n, 2) on a spiral that grows to a radius of 1.9."""
    angle = 1.5 * math.pi * (1 + 2 * torch.rand(n, generator=random))
    spiral = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1) / 7.5
    return spiral + 0.03 * torch.randn(n, 2, generator=random)


POINTS = {"8-gaussians": (eight_gaussians, 0.5), "swiss-roll": (swiss_roll, 0.5)}
"""Points by name, and the noise that makes the others of them."""


class PlaneCritic(nn.Module):
    """Points (N, 2) to numbers (N,): dense layers with ReLU, as many and as wide as in no need, to show what depth
    does."""

    def __init__(self, depth: int = DEPTH, width: int = WIDTH):
        super().__init__()
        sizes = [2, *[width] * (depth - 1), 1]
        layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        for layer in layers:
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        self.layers = nn.ModuleList(layers)

    def outputs(self, points: Tensor) -> list[Tensor]:
        """What each layer gives, before it is rectified."""
        found = [self.layers[0](points)]
        for layer in list(self.layers)[1:]:
            found.append(layer(found[-1].relu()))
        return found

    def forward(self, points: Tensor) -> Tensor:
        return self.outputs(points)[-1].squeeze(1)


@dataclass
class Trained:
    """A critic; the norm of its loss's gradient at each layer's output, the first layer's first; its estimate."""

    critic: PlaneCritic
    gradients: list[float]
    distance: float

    @property
    def weights(self) -> Tensor:
        """All weights (W,), biases left out."""
        return torch.cat([p.detach().flatten() for p in self.critic.parameters() if p.ndim == 2])


def train_critic(points: str, *, clip: float | None, steps: int, seed: int) -> Trained:
    """A critic of `points`, a name of `POINTS`, with its weights clipped to [−clip, clip], or with the penalty."""
    random = torch.Generator().manual_seed(seed)
    with _tiny_numbers_as_zero():
        return _train(points, clip, steps, seed, random)


@contextmanager
def _tiny_numbers_as_zero() -> Iterator[None]:
    """Where gradients vanish, numbers below 1e-38 appear, with which a CPU computes a hundred times slower."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _train(points: str, clip: float | None, steps: int, seed: int, random: torch.Generator) -> Trained:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = PlaneCritic()
    optimizer = torch.optim.Adam(critic.parameters(), lr=RATE, betas=(0.0, 0.9), fused=True)
    for _ in range(steps):
        real, fake = _pair(points, random)
        loss = LOSSES["wasserstein"].discriminator(critic(real), critic(fake))
        if clip is None:
            penalty, _ = gradient_penalty(critic, real, fake, torch.rand(len(real), generator=random))
            loss = loss + PENALTY * penalty.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if clip is not None:
            with torch.no_grad():
                for parameter in critic.parameters():
                    parameter.clamp_(-clip, clip)
    return _examined(critic, *_pair(points, random))


def _pair(points: str, random: torch.Generator) -> tuple[Tensor, Tensor]:
    draw, noise = POINTS[points]
    real, others = draw(BATCH, random), draw(BATCH, random)
    return real, others + noise * torch.randn(BATCH, 2, generator=random)


def _examined(critic: PlaneCritic, real: Tensor, fake: Tensor) -> Trained:
    outputs = critic.outputs(torch.cat([real, fake]))
    d_real, d_fake = outputs[-1].squeeze(1).chunk(2)
    loss = LOSSES["wasserstein"].discriminator(d_real, d_fake)
    gradients = torch.autograd.grad(loss, outputs)
    return Trained(critic, [gradient.norm().item() for gradient in gradients], -loss.item())
