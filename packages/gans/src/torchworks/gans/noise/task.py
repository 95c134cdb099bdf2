"""The training of a generator against a discriminator: one task for DCGAN, conditional GAN and R3GAN.

A step has two phases. In "d" the discriminator learns to tell real images from generated ones; in "g" the
generator learns to be taken for real, by images of its own or, with `reuse`, by those of "d". Losses and penalties
are in losses.py, the nets in dcgan.py, cgan.py, clustered.py and r3gan.py, the augmentation of what the discriminator
sees in diffaugment.py.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.adversarial.diffaugment import diff_augment
from torchworks.gans.adversarial.doctor import WatchedTask
from torchworks.gans.adversarial.losses import LOSSES, squared_slopes
from torchworks.gans.models.clustered import ClusteredDiscriminator, ClusteredGenerator
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out, Phase
from torchworks.shared.training.optim import adam

if TYPE_CHECKING:
    from torchworks.shared.fidelity import Fidelity  # slow to import, and drawing images needs none

PREVIEW_COLUMNS = 10


class Shown(NamedTuple):
    """Images (N, C, S, S) as the discriminator sees them, and what it is told of them: labels (N,), or nothing."""

    images: Tensor
    labels: Tensor | None


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
        self._kept: tuple[dict[str, Tensor], Tensor, Tensor | None] | None = None
        clustered = isinstance(discriminator, ClusteredDiscriminator) and isinstance(generator, ClusteredGenerator)
        self._clusters = discriminator.clusters if clustered else None
        self._cluster_of = generator.cluster_of if clustered else None
        self._apart = any(isinstance(module, nn.BatchNorm2d) for module in discriminator.modules())

    def nets(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def optimizer(self, net: str) -> Optimizer:
        factor = self.config.discriminator_lr if net == "discriminator" else 1.0
        return adam(self.nets()[net].parameters(), lr=self.lr * factor, betas=self.config.betas)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        real = Shown(batch["image"], self._real_labels(batch))
        if phase == "g":
            return self._generator_loss(real, self._draw_for_generator(batch))
        fake = self._draw_for_discriminator(batch)
        if self.config.r1 or self.config.r2:
            with torch.autocast(real.images.device.type, enabled=False):
                return self._penalised_loss(real, Shown(fake.images.float(), fake.labels))
        d_real, d_fake = self._compare(real, fake)
        return _judged(self.game.discriminator(d_real, d_fake), d_real, d_fake)

    def _penalised_loss(self, real: Shown, fake: Shown) -> Out:
        """In fp32, the loss + γ₁/2 E‖∇D(x)‖² + γ₂/2 E‖∇D(x̂)‖²; slopes are with respect to images as they were
        before augmentation."""
        images = torch.cat([real.images, fake.images]).requires_grad_()
        first, second = images.chunk(2)
        d_real, d_fake = self._compare(Shown(first, real.labels), Shown(second, fake.labels))
        r1, r2 = squared_slopes(torch.cat([d_real, d_fake]), images).chunk(2)
        penalty = self.config.r1 / 2 * r1.mean() + self.config.r2 / 2 * r2.mean()
        out = _judged(self.game.discriminator(d_real, d_fake) + penalty, d_real, d_fake)
        out.logs |= {"r1": r1.mean().detach(), "r2": r2.mean().detach()}
        return out

    def _generator_loss(self, real: Shown, fake: Shown) -> Out:
        if self.game.relative:
            d_real, d_fake = self._compare(real, fake)
        else:
            d_real, d_fake = None, self._discriminate(self._augment(fake.images), fake.labels)
        spread = fake.images.detach().float().std(dim=0, correction=0).mean()
        spread = spread / real.images.std(dim=0, correction=0).mean()
        return Out(self.game.generator(d_real, d_fake), logs={"diversity": spread})

    def _compare(self, real: Shown, fake: Shown) -> tuple[Tensor, Tensor]:
        """Logits of real and generated images, augmented alike; in one pass unless batch statistics would then
        tell the two apart."""
        augmented = self._augment(real.images), self._augment(fake.images.to(real.images.dtype))
        if self._apart:
            return self._discriminate(augmented[0], real.labels), self._discriminate(augmented[1], fake.labels)
        told = None if real.labels is None or fake.labels is None else torch.cat([real.labels, fake.labels])
        d_real, d_fake = self._discriminate(torch.cat(augmented), told).chunk(2)
        return d_real, d_fake

    def _discriminate(self, images: Tensor, labels: Tensor | None) -> Tensor:
        return self.discriminator(images) if labels is None else self.discriminator(images, labels)

    def _augment(self, images: Tensor) -> Tensor:
        return diff_augment(images, self.config.augment, self.random)

    def _draw_for_discriminator(self, batch: dict[str, Tensor]) -> Shown:
        """Generated images without gradients. With `reuse`, they are kept with what their gradients need; several
        processes keep the latent vectors alone, since only a wrapped generator's gradients are shared."""
        z, reuse = self._latents(batch), self.config.reuse
        together = reuse and not dist.is_initialized()
        with torch.set_grad_enabled(together):
            fake = self._generate(z, batch)
        self._kept = (batch, z, fake if together else None) if reuse else None
        return Shown(fake.detach(), self._fake_labels(z, batch))

    def _draw_for_generator(self, batch: dict[str, Tensor]) -> Shown:
        """Generated images: those kept for this very batch, else others."""
        kept, self._kept = self._kept, None
        if kept is None or kept[0] is not batch:  # after running out of memory, a part of it
            kept = batch, self._latents(batch), None
        _, z, fake = kept
        return Shown(self._generate(z, batch) if fake is None else fake, self._fake_labels(z, batch))

    def _latents(self, batch: dict[str, Tensor]) -> Tensor:
        """As many as `batch` has images."""
        return to_latent(self.random.normal(len(batch["image"]), self.latent_dim), self.latent)

    def _generate(self, z: Tensor, batch: dict[str, Tensor]) -> Tensor:
        return self.generator(z, batch["label"]) if self.num_classes else self.generator(z)

    def _real_labels(self, batch: dict[str, Tensor]) -> Tensor | None:
        """What the discriminator is told of real images: classes, clusters or nothing."""
        if self._clusters is not None:
            return self._clusters(batch["image"])
        return batch["label"] if self.num_classes else None

    def _fake_labels(self, z: Tensor, batch: dict[str, Tensor]) -> Tensor | None:
        """The same of generated images, which have the classes of `batch`, or the clusters that `z` chooses."""
        if self._cluster_of is not None:
            return self._cluster_of(z)
        return batch["label"] if self.num_classes else None

    # ---- evaluation --------------------------------------------------------------------------------------

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        """As many generated images as the batch has real ones, of the same classes."""
        if self.fidelity is None:
            return {}
        fake = self._generate(self._latents(batch), batch).float().clamp(-1, 1)
        self.fidelity.update(fake=fake, label=batch["label"] if self.num_classes else None)
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
