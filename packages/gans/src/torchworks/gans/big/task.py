"""The training of BigGAN: the game of noise/task.py with classes, and orthogonal regularization of the generator."""

from typing import Any

import torch
from torch import nn

from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.models.biggan import orthogonal_penalty
from torchworks.gans.noise.task import GanTask, Shown
from torchworks.shared.task import Out


class BigGANTask(GanTask):
    """As `GanTask` with classes; the generator also minimizes `orthogonal` times R(W) of `orthogonal_penalty`."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        config: AdversarialConfig,
        *,
        orthogonal: float,
        **options: Any,
    ):
        super().__init__(generator, discriminator, config, **options)
        self.orthogonal = orthogonal

    def _generator_loss(self, real: Shown, fake: Shown) -> Out:
        out = super()._generator_loss(real, fake)
        if not self.orthogonal:
            return out
        with torch.autocast(real.images.device.type, enabled=False):
            penalty = orthogonal_penalty(self.generator)
        return Out(out.loss + self.orthogonal * penalty, logs=out.logs | {"orthogonal": penalty.detach()})
