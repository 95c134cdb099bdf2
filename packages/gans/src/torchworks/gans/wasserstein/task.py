"""The training of WGAN-GP: the game of noise/task.py with several steps of the critic, and a penalty on its slope at
images between real and generated ones, or clipped weights."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.adversarial.losses import gradient_penalty
from torchworks.gans.noise.task import GanTask, Shown
from torchworks.gans.wasserstein.config import WassersteinConfig
from torchworks.shared.task import Out


class WGANTask(GanTask):
    """As `GanTask`, for a critic of single images, without labels.

    Logs of "d": `distance`, the estimate E D(x) − E D(x̂) of the Wasserstein distance, which falls as images get
    better, and with a penalty `slope`, the mean ‖∇D‖, which is near 1 where the estimate is one.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        config: AdversarialConfig,
        *,
        wasserstein: WassersteinConfig,
        **options: Any,
    ):
        super().__init__(generator, discriminator, config, **options)
        self.wasserstein = wasserstein

    def optimizer(self, net: str) -> Optimizer:
        """Adam; with clipped weights, w ← clip(w, −c, c) after each step of the critic (WGAN Algorithm 1, line 7)."""
        optimizer = super().optimizer(net)
        if net == "discriminator" and self.wasserstein.clip:
            optimizer.register_step_post_hook(self._clip)
        return optimizer

    @torch.no_grad()
    def _clip(self, optimizer: Optimizer, *args: Any) -> None:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.clamp_(-self.wasserstein.clip, self.wasserstein.clip)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        if phase == "g":
            return super().loss(phase, batch)
        real, fake = Shown(batch["image"], None), self._draw_for_discriminator(batch)
        d_real, d_fake = self._compare(real, fake)
        d_real, d_fake = d_real.float(), d_fake.float()
        logs = {"real": d_real.mean(), "fake": d_fake.mean(), "distance": d_real.mean() - d_fake.mean()}
        loss = self.game.discriminator(d_real, d_fake)
        if self.wasserstein.penalty:
            penalty, slope = self._penalty(real.images, fake.images)
            loss, logs["slope"] = loss + self.wasserstein.penalty * penalty, slope
        return Out(loss, logs={name: value.detach() for name, value in logs.items()})

    def _penalty(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The mean penalty and the mean slope, in fp32."""
        mix = self.random.uniform(len(real))
        with torch.autocast(real.device.type, enabled=False):
            penalty, slopes = gradient_penalty(self._value, real, fake, mix)
        return penalty.mean(), slopes.mean()

    def _value(self, images: Tensor) -> Tensor:
        return self._discriminate(self._augment(images), None)
