"""CycleGAN: translation between two kinds of images, learnt without pairs.

Zhu, Park, Isola & Efros 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks"
(arXiv:1703.10593).

The idea: learn both directions, G: A → B and F: B → A, each against a discriminator of its target domain, and ask
that going there and back returns the image one started from (eq. 1–3, section 5.2):

    L(G, F) = E (D_B(G(a)) − 1)² + E (D_A(F(b)) − 1)²                  both look like their domain
            + λ (E |F(G(a)) − a| + E |G(F(b)) − b|)                    and can be undone
            + ½λ (E |F(a) − a| + E |G(b) − b|)                         and leave alone what needs no change
    L(D_B)  = ½ E (D_B(b) − 1)² + ½ E D_B(ĉ)²                          ĉ from a pool of earlier translations

The pool (Shrivastava et al. 2017) shows the discriminators translations of the last while rather than of the
last step, which damps oscillation.

What differs: batches instead of single images; moving averages of the translators; upsampling by resized
convolutions and patches that suit small images (translators.py).

Shapes: N batch, C channels, S image size, P patches a side.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.config import CycleGANConfig
from torchworks.gans.doctor import WatchedTask
from torchworks.gans.losses import least_squares_discriminator, least_squares_generator
from torchworks.gans.translation import DomainDistance, LabelKept
from torchworks.shared.optim import adam
from torchworks.shared.random import StepRandom
from torchworks.shared.run import picture_grid
from torchworks.shared.task import Out, Phase


class Cycle(NamedTuple):
    """What the two translators make of a batch of each domain, all (N, C, S, S)."""

    fake_a: Tensor
    fake_b: Tensor
    back_a: Tensor
    back_b: Tensor
    same_a: Tensor
    same_b: Tensor


class Translators(nn.Module):
    """Both directions: `ab` from domain A to B, `ba` back. Called, it goes the whole way round at once."""

    def __init__(self, ab: nn.Module, ba: nn.Module):
        super().__init__()
        self.ab, self.ba = ab, ba

    def forward(self, a: Tensor, b: Tensor) -> Cycle:
        fake_b, same_b = self.ab(torch.cat([a, b])).split([len(a), len(b)])
        fake_a, same_a = self.ba(torch.cat([b, a])).split([len(b), len(a)])
        return Cycle(fake_a, fake_b, self.ba(fake_b), self.ab(fake_a), same_a, same_b)


class Critics(nn.Module):
    """The discriminators of the two domains: images of A and of B to patch logits (N, 1, P, P) each."""

    def __init__(self, a: nn.Module, b: nn.Module):
        super().__init__()
        self.a, self.b = a, b

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.a(a), self.b(b)


class ImagePool:
    """The last `size` translations or so (section 4). Lives on the device and never makes the host wait.

    Until it is full, it keeps every image and shows it. Then each new image is shown itself or, with probability
    ½, takes the place of a stored one, which is shown instead. With several processes each has its own pool.
    """

    def __init__(self, size: int):
        self.size, self.filled = size, 0
        self.images: Tensor | None = None

    def swap(self, images: Tensor, random: StepRandom) -> Tensor:
        """Images (N, C, S, S) to as many to show the discriminator."""
        if self.size == 0:
            return images
        if self.images is None:
            self.images = images.new_zeros(self.size, *images.shape[1:])
        self.images = self.images.to(images.device)
        kept, rest = images.tensor_split([self.size - self.filled])
        self.images[self.filled : self.filled + len(kept)] = kept
        self.filled += len(kept)
        return torch.cat([kept, *(self._exchange(part, random) for part in rest.split(self.size) if len(part))])

    def _exchange(self, images: Tensor, random: StepRandom) -> Tensor:
        assert self.images is not None
        slots = random.uniform(self.size).argsort()[: len(images)]  # distinct, so that each image has its own
        stored = self.images[slots]
        swapped = random.uniform(len(images), 1, 1, 1) < 0.5
        self.images[slots] = torch.where(swapped, images, stored)
        return torch.where(swapped, stored, images)

    def state_dict(self) -> dict[str, Any]:
        return {"filled": self.filled, "images": self.images}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.filled, self.images = state["filled"], state["images"]


class CycleGANTask(WatchedTask):
    """Batches have "a_image" and "b_image" (N, C, S, S) in [-1, 1], and for `kept` labels and indices too.

    `kept` reads labels off the translations; `distances` compare the translations into A and into B with the images
    there. Whichever comes first is watched. `examples` are images (M, C, S, S) of A and of B to show in previews.
    """

    phases = (Phase("g", net="translators"), Phase("d", net="critics"))
    exported = ("translators",)

    def __init__(
        self,
        translators: Translators,
        critics: Critics,
        config: CycleGANConfig,
        *,
        kept: LabelKept | None = None,
        distances: Sequence[DomainDistance] = (),
        examples: Sequence[Tensor] = (),
    ):
        self.translators, self.critics, self.config = translators, critics, config
        self.kept, self.distances, self.examples = kept, distances, examples
        if kept is not None:
            self.watch, self.watch_mode = "label_kept", "max"
        elif distances:
            self.watch = distances[-1].score
        self.pools = {"a": ImagePool(config.pool_size), "b": ImagePool(config.pool_size)}

    def nets(self) -> dict[str, nn.Module]:
        return {"translators": self.translators, "critics": self.critics}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.nets()[net].parameters(), lr=self.config.optim.lr, betas=self.config.betas)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        a, b = batch["a_image"], batch["b_image"]
        return self._translator_loss(a, b) if phase == "g" else self._critic_loss(a, b)

    def _translator_loss(self, a: Tensor, b: Tensor) -> Out:
        cycle = self.translators(a, b)
        logits_a, logits_b = self.critics(cycle.fake_a, cycle.fake_b)
        fooling = 2 * (least_squares_generator(None, logits_a) + least_squares_generator(None, logits_b))
        back = _distance(cycle.back_a, a) + _distance(cycle.back_b, b)
        same = _distance(cycle.same_a, a) + _distance(cycle.same_b, b)
        loss = fooling + self.config.cycle_weight * back + self.config.identity_weight * same
        return Out(loss, logs={"fooling": fooling.detach(), "cycle": back.detach(), "identity": same.detach()})

    def _critic_loss(self, a: Tensor, b: Tensor) -> Out:
        with torch.no_grad():
            fake_a, fake_b = self.translators.ba(b).float(), self.translators.ab(a).float()
            fake_a = self.pools["a"].swap(fake_a, self.random)
            fake_b = self.pools["b"].swap(fake_b, self.random)
        logits_a, logits_b = self.critics(torch.cat([a, fake_a]), torch.cat([b, fake_b]))
        (real_a, shown_a), (real_b, shown_b) = logits_a.float().chunk(2), logits_b.float().chunk(2)
        loss = least_squares_discriminator(real_a, shown_a) + least_squares_discriminator(real_b, shown_b)
        real, fake = (real_a.mean() + real_b.mean()) / 2, (shown_a.mean() + shown_b.mean()) / 2
        return Out(loss, logs={"real": real.detach(), "fake": fake.detach()})

    # ---- evaluation --------------------------------------------------------------------------------------

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        fake_b = self.translators.ab(batch["a_image"]).float()
        fake_a = self.translators.ba(batch["b_image"]).float()
        scores: dict[str, Any] = {}
        for distance, fake in zip(self.distances, (fake_a, fake_b), strict=False):
            distance.update(fake=fake)
            scores[distance.score] = distance
        if self.kept is not None:
            self.kept.update(batch, fake_a, fake_b)
            scores["kept"] = self.kept
        return scores

    def preview(self) -> dict[str, Tensor]:
        """For each direction, a row of images above the row of their translations."""
        if not self.examples:
            return {}
        device = next(self.translators.parameters()).device
        a, b = (images.to(device) for images in self.examples)
        rows = [a, self.translators.ab(a), b, self.translators.ba(b)]
        return {"translations": picture_grid(torch.cat(rows) / 2 + 0.5, len(a))}

    def state_dict(self) -> dict[str, Any]:
        return {name: pool.state_dict() for name, pool in self.pools.items()} | super().state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, pool in self.pools.items():
            pool.load_state_dict(state[name])
        super().load_state_dict(state)


def _distance(images: Tensor, wanted: Tensor) -> Tensor:
    return (images.float() - wanted).abs().mean()
