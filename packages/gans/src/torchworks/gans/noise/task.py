"""The training of a generator against a discriminator: one task for DCGAN, conditional GAN and R3GAN.

A step has two phases. In "d" the discriminator learns to tell real images from generated ones; in "g" the
generator learns to be taken for real. Losses and penalties are in losses.py, the nets in dcgan.py, cgan.py and
r3gan.py, the augmentation of what the discriminator sees in diffaugment.py.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.adversarial.diffaugment import diff_augment
from torchworks.gans.adversarial.doctor import WatchedTask
from torchworks.gans.adversarial.losses import LOSSES, squared_slopes
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out, Phase
from torchworks.shared.training.optim import adam

if TYPE_CHECKING:
    from torchworks.shared.fidelity import Fidelity  # slow to import, and drawing images needs none

PREVIEW_COLUMNS = 10


class GanTask(WatchedTask):
    """`generator` (z[, labels] → images) against `discriminator` (images[, labels] → logits).

    Labels are passed on if `num_classes` is not zero; batches then need a "label". `fidelity` scores generated
    images at evaluations, and its Fréchet distance chooses the best state; it may be left out.
    """

    exported = ("generator",)

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        config: AdversarialConfig,
        *,
        latent_dim: int,
        latent: str = "normal",
        num_classes: int = 0,
        lr: float = 2e-4,
        fidelity: "Fidelity | None" = None,
        seed: int = 0,
    ):
        self.generator, self.discriminator, self.config = generator, discriminator, config
        self.phases = (
            Phase("d", net="discriminator", repeat=config.discriminator_steps),
            Phase("g", net="generator"),
        )
        self.latent_dim, self.latent, self.num_classes, self.lr = latent_dim, latent, num_classes, lr
        self.fidelity, self.seed = fidelity, seed
        self.watch = fidelity.space.frechet_name if fidelity is not None else None
        self.game = LOSSES[config.loss]
        self._apart = any(isinstance(module, nn.BatchNorm2d) for module in discriminator.modules())

    def nets(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def optimizer(self, net: str) -> Optimizer:
        factor = self.config.discriminator_lr if net == "discriminator" else 1.0
        return adam(self.nets()[net].parameters(), lr=self.lr * factor, betas=self.config.betas)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        real, labels = batch["image"], self._labels(batch)
        if phase == "g":
            return self._generator_loss(real, labels)
        with torch.no_grad():
            fake = self._generate(len(real), labels)
        if self.config.r1 or self.config.r2:
            with torch.autocast(real.device.type, enabled=False):
                return self._penalised_loss(real, fake.float(), labels)
        d_real, d_fake = self._compare(real, fake, labels)
        return _judged(self.game.discriminator(d_real, d_fake), d_real, d_fake)

    def _penalised_loss(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> Out:
        """In fp32, the loss + γ₁/2 E‖∇D(x)‖² + γ₂/2 E‖∇D(x̂)‖²; slopes are with respect to images as they were
        before augmentation."""
        images = torch.cat([real, fake]).requires_grad_()
        d_real, d_fake = self._compare(*images.chunk(2), labels)
        r1, r2 = squared_slopes(torch.cat([d_real, d_fake]), images).chunk(2)
        penalty = self.config.r1 / 2 * r1.mean() + self.config.r2 / 2 * r2.mean()
        out = _judged(self.game.discriminator(d_real, d_fake) + penalty, d_real, d_fake)
        out.logs |= {"r1": r1.mean().detach(), "r2": r2.mean().detach()}
        return out

    def _generator_loss(self, real: Tensor, labels: Tensor | None) -> Out:
        fake = self._generate(len(real), labels)
        if self.game.relative:
            d_real, d_fake = self._compare(real, fake, labels)
        else:
            d_real, d_fake = None, self._discriminate(self._augment(fake), labels)
        spread = fake.detach().float().std(dim=0, correction=0).mean() / real.std(dim=0, correction=0).mean()
        return Out(self.game.generator(d_real, d_fake), logs={"diversity": spread})

    def _compare(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits of real and generated images, augmented alike; in one pass unless batch statistics would then
        tell the two apart."""
        real, fake = self._augment(real), self._augment(fake.to(real.dtype))
        if self._apart:
            return self._discriminate(real, labels), self._discriminate(fake, labels)
        twice = None if labels is None else torch.cat([labels, labels])
        d_real, d_fake = self._discriminate(torch.cat([real, fake]), twice).chunk(2)
        return d_real, d_fake

    def _discriminate(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.discriminator(images) if labels is None else self.discriminator(images, labels)

    def _augment(self, images: Tensor) -> Tensor:
        return diff_augment(images, self.config.augment, self.random)

    def _generate(self, n: int, labels: Tensor | None) -> Tensor:
        z = to_latent(self.random.normal(n, self.latent_dim), self.latent)
        return self.generator(z) if labels is None else self.generator(z, labels)

    def _labels(self, batch: dict[str, Tensor]) -> Tensor | None:
        return batch["label"] if self.num_classes else None

    # ---- evaluation --------------------------------------------------------------------------------------

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        """As many generated images as the batch has real ones, of the same classes."""
        if self.fidelity is None:
            return {}
        labels = self._labels(batch)
        fake = self._generate(len(batch["image"]), labels).float().clamp(-1, 1)
        self.fidelity.update(fake=fake, label=labels)
        return {"fidelity": self.fidelity}

    def preview(self) -> dict[str, Tensor]:
        """A grid from fixed latent vectors; for a conditional generator, a row for each of up to ten classes."""
        device = next(self.generator.parameters()).device
        rows = min(self.num_classes or 10, 10)
        z = to_latent(sample_normal(self.seed, range(rows * PREVIEW_COLUMNS), self.latent_dim), self.latent)
        labels = torch.arange(rows, device=device).repeat_interleave(PREVIEW_COLUMNS)
        given = (z.to(device), labels) if self.num_classes else (z.to(device),)
        return {"samples": picture_grid(self.generator(*given) / 2 + 0.5, PREVIEW_COLUMNS)}


def to_latent(noise: Tensor, latent: str) -> Tensor:
    """Standard normal numbers as they are, or made uniform in [-1, 1] by their distribution function."""
    return torch.erf(noise / 2**0.5) if latent == "uniform" else noise


def _judged(loss: Tensor, d_real: Tensor, d_fake: Tensor) -> Out:
    logs = {"real": d_real.detach().float().mean(), "fake": d_fake.detach().float().mean()}
    return Out(loss, logs=logs)
