"""The training of StyleGAN2: the game of noise/task.py, with regularization at some steps only and adaptive
augmentation.

A step has up to four phases, each an optimizer step:

| phase | steps | what it minimizes |
|---|---|---|
| d | all | the discriminator's loss on augmented images |
| r1 | every 16th | 16 · γ/2 · E‖∇ₓD(T(x))‖² at real images (Mescheder et al. 2018, eq. 9) |
| g | all | the generator's loss |
| pl | every 8th | 8 · 2 · E(‖Jᵀ_w y‖ − a)² (SG2 eq. 4) |

J_w is the derivative of an image with respect to its w, y an image of normally distributed noise, and a the running
mean of the lengths; when all directions of w move images equally far, w can be inverted and is easy to steer. Doing it
rarely and counting it more often ("lazy regularization", SG2 section 4.1) also changes how many steps Adam takes: with
one more in each k, its rate and the exponents of its decay rates are scaled by c = k / (k + 1) (SG2 appendix B).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.adversarial.ada import Controller, adaptive_augment
from torchworks.gans.adversarial.config import AdaConfig, AdversarialConfig
from torchworks.gans.adversarial.losses import squared_slopes
from torchworks.gans.models.stylegan2 import Mixing, StyleGAN2Generator
from torchworks.gans.noise.task import GanTask, Shown
from torchworks.gans.styles.config import StyleConfig
from torchworks.shared.task import Out, Phase
from torchworks.shared.training.optim import adam


class StyleGAN2Task(GanTask):
    """As `GanTask`, for `StyleGAN2Generator` and `StyleGAN2Discriminator`; without labels."""

    def __init__(
        self,
        generator: StyleGAN2Generator,
        discriminator: nn.Module,
        config: AdversarialConfig,
        *,
        style: StyleConfig,
        ada: AdaConfig,
        **options: Any,
    ):
        super().__init__(generator, discriminator, config, latent_dim=generator.latent_dim, **options)
        self.style, self.ada = style, ada
        self.control = Controller(ada.p, target=ada.target, every=ada.every, images=ada.images)
        self.path_mean = torch.zeros(())
        self.layers, self.noise_sizes = generator.synthesis.styles, generator.synthesis.noise_sizes
        self._apart = True  # or the deviation over a batch would compare real with generated images
        d, g = self.phases
        slopes = Phase("r1", net="discriminator", every=style.r1_every)
        # each row of this phase counts for the mean length
        paths = Phase("pl", net="generator", every=style.path_every, whole_batch=True)
        self.phases = (d, *[slopes] * bool(config.r1), g, *[paths] * bool(style.path_weight))

    def optimizer(self, net: str) -> Optimizer:
        """Adam, with its rate and decays changed for lazy regularization."""
        if net == "discriminator":
            factor, weight, every = self.config.discriminator_lr, self.config.r1, self.style.r1_every
        else:
            factor, weight, every = 1.0, self.style.path_weight, self.style.path_every
        c = every / (every + 1) if weight else 1.0
        beta1, beta2 = self.config.betas
        return adam(self.nets()[net].parameters(), lr=self.lr * factor * c, betas=(beta1**c, beta2**c))

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        real = batch["image"]
        if phase == "d":
            return self._discriminator_loss(batch)
        if phase == "g":
            return self._generator_loss(Shown(real, None), self._draw_for_generator(batch))
        with torch.autocast(real.device.type, enabled=False):
            return self._slope_penalty(real.float()) if phase == "r1" else self._path_penalty(len(real))

    def _discriminator_loss(self, batch: dict[str, Tensor]) -> Out:
        d_real, d_fake = self._compare(Shown(batch["image"], None), self._draw_for_discriminator(batch))
        self.control.observe(self.step, self.gather(d_real.detach()))
        logs = {"real": d_real.detach().float().mean(), "fake": d_fake.detach().float().mean()}
        logs |= {"sign": d_real.detach().float().sign().mean(), "p": self.control.p}
        return Out(self.game.discriminator(d_real, d_fake), logs=logs)

    def _slope_penalty(self, real: Tensor) -> Out:
        images = real.detach().requires_grad_()
        r1 = squared_slopes(self.discriminator(self._augment(images)), images).mean()
        return Out(self.style.r1_every * self.config.r1 / 2 * r1, logs={"r1": r1.detach()})

    def _path_penalty(self, n: int) -> Out:
        """For half of a batch, which is enough (SG2 appendix B)."""
        n = max(1, n // 2)
        images, styles = self._train_images(self.random.normal(n, self.latent_dim))
        lengths = path_lengths(images, styles, self.random.normal(n, *images.shape[1:]))
        everyones = self.gather(lengths.detach()).mean()
        self.path_mean = self.path_mean.to(lengths.device).lerp(everyones, 1 - self.style.path_decay)
        penalty = (lengths - self.path_mean).square().mean()
        weight = self.style.path_every * self.style.path_weight
        return Out(weight * penalty, logs={"path": everyones, "path_mean": self.path_mean})

    def _augment(self, images: Tensor) -> Tensor:
        return adaptive_augment(super()._augment(images), self.ada.kinds, self.control.p, self.random)

    def _generate(self, z: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return self._train_images(z)[0] if self.generator.training else self.generator(z)

    def _train_images(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, S, S) with fresh noise and with styles mixed with those of other latent vectors, and their
        styles (N, L, W)."""
        n = len(z)
        other = self.random.normal(n, self.latent_dim)
        cut = 1 + self.random.integers(self.layers - 1, n)
        cut = torch.where(self.random.uniform(n) < self.style.mixing, cut, self.layers)
        noise = [self.random.normal(n, 1, size, size) for size in self.noise_sizes]
        return self.generator(z, mixing=Mixing(other, cut, noise))

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"ada": self.control.state_dict(), "path_mean": self.path_mean.item()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.control.load_state_dict(state["ada"])
        self.path_mean = torch.tensor(state["path_mean"])


def path_lengths(images: Tensor, styles: Tensor, noise: Tensor) -> Tensor:
    """‖Jᵀ_w y‖ (N,) of images (N, C, S, S) made of styles (N, L, W), for noise y (N, C, S, S) divided by √(S·S), so
    that the length does not depend on the size: the root over layers' mean of the squared length in each layer's w."""
    scaled = noise / math.sqrt(images.shape[2] * images.shape[3])
    (slopes,) = torch.autograd.grad((images * scaled).sum(), styles, create_graph=True)  # (N, L, W)
    return slopes.square().sum(dim=2).mean(dim=1).sqrt()
