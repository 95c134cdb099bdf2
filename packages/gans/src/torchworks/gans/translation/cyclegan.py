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

Where both domains have the same classes, a discriminator is also told the class c of the image it looks at, and of
a translation the class of the image that it came from: D_B(b, c) and D_B(G(a), c(a)), as maps appended to the image
(Isola et al. 2017 condition theirs so). For nothing above says that a 4 must become a 4: a translator that makes every
handwritten 1 a printed 4, and the other one that undoes it, have no loss at all. The translators never see a class.

What differs besides: batches instead of single images; moving averages of the translators; upsampling by resized
convolutions and patches that suit small images (translators.py).

Shapes: N batch, C channels, S image size, P patches a side, K classes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.adversarial.doctor import WatchedTask
from torchworks.gans.adversarial.losses import least_squares_discriminator, least_squares_generator
from torchworks.gans.models.cgan import with_planes
from torchworks.gans.translation.config import CycleGANConfig
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out, Phase
from torchworks.shared.training.optim import adam

if TYPE_CHECKING:
    from torchworks.gans.translation.metrics import DomainDistance, LabelKept  # slow to import, not needed to translate


class Cycle(NamedTuple):
    """What the two translators make of a batch of each domain, all (N, C, S, S); `same` if it was asked for."""

    fake_a: Tensor
    fake_b: Tensor
    back_a: Tensor
    back_b: Tensor
    same_a: Tensor | None
    same_b: Tensor | None


class Translators(nn.Module):
    """Both directions: `ab` from domain A to B, `ba` back. Called, it goes the whole way round at once."""

    def __init__(self, ab: nn.Module, ba: nn.Module):
        super().__init__()
        self.ab, self.ba = ab, ba

    def forward(self, a: Tensor, b: Tensor, *, identity: bool = True) -> Cycle:
        if identity:
            fake_b, same_b = self.ab(torch.cat([a, b])).split([len(a), len(b)])
            fake_a, same_a = self.ba(torch.cat([b, a])).split([len(b), len(a)])
        else:
            fake_b, fake_a, same_a, same_b = self.ab(a), self.ba(b), None, None
        return Cycle(fake_a, fake_b, self.ba(fake_b), self.ab(fake_a), same_a, same_b)


class Critics(nn.Module):
    """The discriminators of the two domains: images of A and of B, with maps of their classes if there are any,
    (N, C + K, S, S), to patch logits (N, 1, P, P) each."""

    def __init__(self, a: nn.Module, b: nn.Module):
        super().__init__()
        self.a, self.b = a, b

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.a(a), self.b(b)


class Domain(NamedTuple):
    """A batch of one domain: images (N, C, S, S) and, if there are any, labels (N,)."""

    image: Tensor
    label: Tensor | None


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

    With `num_classes` above 0 the critics are told the classes "a_label" and "b_label".

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
        num_classes: int = 0,
        kept: "LabelKept | None" = None,
        distances: "Sequence[DomainDistance]" = (),
        examples: Sequence[Tensor] = (),
    ):
        self.translators, self.critics, self.config, self.num_classes = translators, critics, config, num_classes
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
        a, b = (Domain(batch[f"{name}_image"], batch.get(f"{name}_label")) for name in "ab")
        return self._translator_loss(a, b) if phase == "g" else self._critic_loss(a, b)

    def _translator_loss(self, a: Domain, b: Domain) -> Out:
        weights = self.config
        cycle = self.translators(a.image, b.image, identity=weights.identity_weight > 0)
        logits_a, logits_b = self.critics(self._shown(cycle.fake_a, b.label), self._shown(cycle.fake_b, a.label))
        fooling = 2 * (least_squares_generator(None, logits_a) + least_squares_generator(None, logits_b))
        back = _distance(cycle.back_a, a.image) + _distance(cycle.back_b, b.image)
        loss, logs = fooling + weights.cycle_weight * back, {"fooling": fooling.detach(), "cycle": back.detach()}
        if cycle.same_a is not None and cycle.same_b is not None:
            same = _distance(cycle.same_a, a.image) + _distance(cycle.same_b, b.image)
            loss, logs["identity"] = loss + weights.identity_weight * same, same.detach()
        return Out(loss, logs=logs)

    def _critic_loss(self, a: Domain, b: Domain) -> Out:
        with torch.no_grad():
            fake_a, fake_b = self.translators.ba(b.image).float(), self.translators.ab(a.image).float()
            fake_a = self.pools["a"].swap(self._shown(fake_a, b.label), self.random)
            fake_b = self.pools["b"].swap(self._shown(fake_b, a.label), self.random)
        real_a, real_b = self._shown(a.image, a.label), self._shown(b.image, b.label)
        logits_a, logits_b = self.critics(torch.cat([real_a, fake_a]), torch.cat([real_b, fake_b]))
        (real_a, shown_a), (real_b, shown_b) = logits_a.float().chunk(2), logits_b.float().chunk(2)
        loss = least_squares_discriminator(real_a, shown_a) + least_squares_discriminator(real_b, shown_b)
        real, fake = (real_a.mean() + real_b.mean()) / 2, (shown_a.mean() + shown_b.mean()) / 2
        return Out(loss, logs={"real": real.detach(), "fake": fake.detach()})

    def _shown(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """What a critic sees: (N, C, S, S), or (N, C + K, S, S) with a map for each class, 1 for the image's."""
        if not self.num_classes:
            return images
        assert labels is not None, "critics that are told classes need labels"
        return with_planes(images, labels, self.num_classes)

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
