"""The training of InfoGAN: the game of noise/task.py, in which both players also raise the mutual information between
the code and the image, and its scores."""

from typing import Any

import torch
from torch import Tensor

from torchworks.gans.adversarial.config import AdversarialConfig
from torchworks.gans.codes.config import InformationConfig
from torchworks.gans.codes.metrics import CodeScores
from torchworks.gans.models.infogan import (
    Guess,
    InfoGANDiscriminator,
    InfoGANGenerator,
    category_bound,
    number_bound,
)
from torchworks.gans.noise.task import PREVIEW_COLUMNS, GanTask, Shown
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out


class InfoGANTask(GanTask):
    """As `GanTask`, for `InfoGANGenerator` and `InfoGANDiscriminator`; no label is learned from.

    Logs: `category_nats` and `number_nats`, the lower bounds on the mutual information. With `fidelity`, evaluations
    compare the category with the class that the judge reads, and what Q says of real images with their labels.
    """

    generator: InfoGANGenerator
    discriminator: InfoGANDiscriminator

    def __init__(
        self,
        generator: InfoGANGenerator,
        discriminator: InfoGANDiscriminator,
        config: AdversarialConfig,
        *,
        information: InformationConfig,
        **options: Any,
    ):
        super().__init__(generator, discriminator, config, latent_dim=generator.latent_dim, **options)
        self.information = information
        self.codes = CodeScores()
        self.code_of, self.categories = generator.code_of, generator.categories

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        return self._generator_step(batch) if phase == "g" else self._discriminator_step(batch)

    def _discriminator_step(self, batch: dict[str, Tensor]) -> Out:
        fake = self._draw_for_discriminator(batch)
        seen = self._augment(batch["image"]), self._augment(fake.images.to(batch["image"].dtype))
        if self._apart:
            real, guess = self.discriminator(seen[0]), self.discriminator(seen[1])
        else:
            halves = [part.chunk(2) for part in self.discriminator(torch.cat(seen))]
            real, guess = (Guess(*(half[side] for half in halves)) for side in (0, 1))
        logs = {"real": real.real.detach().float().mean(), "fake": guess.real.detach().float().mean()}
        information, nats = self._information(guess, fake)
        return Out(self.game.discriminator(real.real, guess.real) - information, logs=logs | nats)

    def _generator_step(self, batch: dict[str, Tensor]) -> Out:
        fake = self._draw_for_generator(batch)
        guess = self.discriminator(self._augment(fake.images))
        information, nats = self._information(guess, fake)
        spread = fake.images.detach().float().std(dim=0, correction=0).mean()
        logs = {"diversity": spread / batch["image"].std(dim=0, correction=0).mean()}
        return Out(self.game.generator(None, guess.real) - information, logs=logs | nats)

    def _information(self, guess: Guess, fake: Shown) -> tuple[Tensor, dict[str, Tensor]]:
        """λ L_I, and its parts in nats; `fake.labels` are the latent vectors."""
        assert fake.labels is not None
        code = self.code_of(fake.labels)
        category, numbers = category_bound(guess, code), number_bound(guess, code)
        weighted = self.information.category * category + self.information.numbers * numbers
        return weighted, {"category_nats": category.detach(), "number_nats": numbers.detach()}

    def _fake_labels(self, z: Tensor, batch: dict[str, Tensor]) -> Tensor | None:
        """What Q is to find: the latent vectors (N, latent_dim), which hold the code."""
        return z

    # ---- evaluation --------------------------------------------------------------------------------------

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        if self.fidelity is None:
            return {}
        z = self._latents(batch)
        fake = self.generator(z).float().clamp(-1, 1)
        self.fidelity.update(fake=fake)
        if not self.fidelity.space.classes:
            return {"fidelity": self.fidelity}
        read = self.fidelity.predicted[-1]
        self.codes.update(self.code_of(z).category, read)
        if self.step and "label" in batch:  # a run keeps the generator alone: Q has learned while it trains
            self.codes.update_real(self.discriminator(batch["image"]).category.argmax(1), batch["label"])
        return {"fidelity": self.fidelity, "codes": self.codes}

    def preview(self) -> dict[str, Tensor]:
        """A row for each of up to ten categories, from the same latent vectors otherwise."""
        device = next(self.generator.parameters()).device
        rows = min(self.categories, 10)
        z = sample_normal(self.seed, range(PREVIEW_COLUMNS), self.latent_dim).to(device).repeat(rows, 1)
        category = torch.arange(1, rows + 1, device=device).repeat_interleave(PREVIEW_COLUMNS)
        return {"samples": picture_grid(self.generator(z, category) / 2 + 0.5, PREVIEW_COLUMNS)}
