"""The training problem of a diffusion model: an image, noise of a random level, and what the net should predict from
both."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from torchworks.diffusion.process.config import ProcessConfig
from torchworks.diffusion.process.weightings import weights
from torchworks.shared.denoising import Path, VarianceExplodingPath, input_factor, target_of
from torchworks.shared.numbers.stream import StepRandom

LEAST, MOST = 1e-3, 1 - 1e-4
"""Times that training sees; at 0 and 1 some predictions say nothing about the image."""


class Problem(NamedTuple):
    """A batch for the net, and the solution."""

    x: Tensor
    """Noisy images as the net sees them, (N, C, H, W)."""
    time: Tensor
    """What the net is told of the noise level, (N,)."""
    target: Tensor
    """What it should predict, (N, C, H, W)."""
    weight: Tensor | None
    """What the squared errors of each row are multiplied by, (N,); None is 1."""

    def loss(self, predicted: Tensor) -> Tensor:
        """The weighted mean squared error of each row, float32 (N,)."""
        errors = (predicted.float() - self.target).square().flatten(1).mean(1)
        return errors if self.weight is None else errors * self.weight


@dataclass(frozen=True)
class Objective:
    """Makes problems out of images in [-1, 1]."""

    config: ProcessConfig
    path: Path

    @classmethod
    def of(cls, config: ProcessConfig) -> "Objective":
        return cls(config, config.path_of())

    def problem(self, image: Tensor, random: StepRandom) -> Problem:
        """Noise of a random level for each of `image` (N, C, H, W)."""
        t = self.times(len(image), random)
        return self.problem_at(image, random.normal(*image.shape), t)

    def problem_at(self, image: Tensor, noise: Tensor, t: Tensor) -> Problem:
        """The problem at times `t` (N,), from 0 to 1."""
        kind = self.config.prediction
        alpha, sigma, time = self.path.at(t)
        a, s = (factor[:, None, None, None] for factor in (alpha, sigma))
        data = self.config.sigma_data
        x = (a * image + s * noise) * input_factor(kind, a, s, sigma_data=data)
        target = target_of(kind, image, noise, a, s, sigma_data=data)
        return Problem(x, time, target, weights(self.config, alpha, sigma))

    def times(self, n: int, random: StepRandom) -> Tensor:
        """Random times (n,) by the configuration's distribution.

        - uniform: all alike.
        - logit-normal: logit t is normal (Esser et al. 2024, eq. 19).
        - log-normal: ln sigma is normal (Karras et al. 2022, table 1).
        """
        config = self.config
        if config.times == "uniform":
            return random.uniform(n).clamp(LEAST, MOST)
        normal = random.normal(n) * config.time_deviation + config.time_mean
        if config.times == "logit-normal":
            return normal.sigmoid().clamp(LEAST, MOST)
        assert isinstance(self.path, VarianceExplodingPath)
        return self.path.time_of(torch.exp(normal)).clamp(0, 1)
