"""The training of a net that enlarges: by pixels (SRResNet), then also against a discriminator (SRGAN, ESRGAN).

Batches have an "image" (N, 3, S, S) in [-1, 1]. Of each a square is cut, turned and mirrored by chance, and reduced
(degradation.py); the net gives it back. With a discriminator D, features φ and an enlarged image ŷ of y,

    L_G = λ_p |ŷ − y| + λ_φ mean_l |φ_l(ŷ) − φ_l(y)| + λ_a E softplus(−D(ŷ))
    L_D = E softplus(−D(y)) + E softplus(D(ŷ))

(Ledig et al. 2017, eq. 3 and 7; Wang et al. 2021, section 4.1), where the relativistic average of ESRGAN (Wang et al.
2018, eq. 1 and 2; Jolicoeur-Martineau 2019) puts D(y) − E D(ŷ) in the place of D(y), and D(ŷ) − E D(y) of D(ŷ).

The first `pretrain_steps` are by pixels alone. The discriminator is idle then: its loss is 0 times its weights.

Shape letters: N images, S pixels of a piece, K of a crop, F factor.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.adversarial.doctor import WatchedTask
from torchworks.gans.enlarging.baselines import METHODS
from torchworks.gans.enlarging.config import EnlargingConfig, EnlargingGanConfig
from torchworks.gans.enlarging.degradation import bicubic, levels, second_order
from torchworks.gans.enlarging.metrics import scores_of
from torchworks.shared.numbers.stream import StepRandom
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Diagnosis, Out, Phase, Task
from torchworks.shared.training.optim import adam

PREVIEWED = 6
"""Images in a row of the preview."""


class EnlargingTask(Task):
    """`generator` (N, 3, h, w) in [0, 1] → (N, 3, F·h, F·w). `features` are those of the score; `shown` (N, 3, S, S) in
    [-1, 1] are enlarged as a preview."""

    phases = (Phase("g", net="generator"),)
    exported = ("generator",)
    watch, watch_mode = "psnr", "max"

    def __init__(self, generator: nn.Module, config: EnlargingConfig, features: nn.Module, shown: Tensor):
        self.generator, self.config, self.features, self.shown = generator, config, features, shown

    def nets(self) -> dict[str, nn.Module]:
        return {"generator": self.generator}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.nets()[net].parameters(), lr=self.config.optim.lr, betas=self.config.betas)

    def pair(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(small, wanted) of crops in [0, 1] of a training batch in [-1, 1]."""
        wanted = random_squares(levels(images / 2 + 0.5), self.config.crop, self.random)
        return self.small(wanted, self.random), wanted

    def small(self, images: Tensor, random: StepRandom) -> Tensor:
        """Images in [0, 1] as the net is shown them."""
        with torch.autocast(images.device.type, enabled=False):
            if self.config.degradation == "bicubic":
                return bicubic(images, self.config.factor)
            return second_order(images, self.config.factor, random)

    def pixels(self, made: Tensor, wanted: Tensor) -> Tensor:
        """The loss of pixels."""
        return F.l1_loss(made, wanted) if self.config.pixel_loss == "l1" else F.mse_loss(made, wanted)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        small, wanted = self.pair(batch["image"])
        return Out(self.pixels(self.generator(small).float(), wanted))

    # ---- evaluation --------------------------------------------------------------------------------------

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        truth = levels(batch["image"].float() / 2 + 0.5)
        made = self.generator(self.small(truth, self.random)).float()
        with torch.autocast(truth.device.type, enabled=False):
            return scores_of(made, truth, self.config.factor, self.features)

    def preview(self) -> dict[str, Tensor]:
        """Rows of pixels as blocks, bicubic interpolation, what is made, and the photographs."""
        truth = levels(self.shown.to(next(self.generator.parameters()).device) / 2 + 0.5)
        small = self.small(truth, StepRandom(self.config.seed, truth.device))
        size = truth.shape[2], truth.shape[3]
        rows = [METHODS["nearest"](small, size), METHODS["bicubic"](small, size), self.generator(small).float(), truth]
        return {"enlarged": picture_grid(torch.cat(rows).clamp(0, 1), len(truth))}


class EnlargingGanTask(EnlargingTask, WatchedTask):
    """The same, then against a `discriminator` of images in [0, 1]; `loss_features` are those of the loss."""

    phases = (Phase("d", net="discriminator"), Phase("g", net="generator"))
    watch, watch_mode = "texture", "min"
    config: EnlargingGanConfig

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        config: EnlargingGanConfig,
        features: nn.Module,
        loss_features: nn.Module,
        shown: Tensor,
    ):
        super().__init__(generator, config, features, shown)
        self.discriminator, self.loss_features = discriminator, loss_features
        self._relative = config.adversarial_loss == "relativistic-average"

    def nets(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def pretraining(self) -> bool:
        """Whether the discriminator has not joined yet."""
        return self.step < self.config.pretrain_steps

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        if self.pretraining:
            return super().loss(phase, batch) if phase == "g" else self._idle()
        small, wanted = self.pair(batch["image"])
        return self._discriminator_loss(small, wanted) if phase == "d" else self._generator_loss(small, wanted)

    def _idle(self) -> Out:
        return Out(sum((0 * parameter.sum() for parameter in self.discriminator.parameters()), torch.zeros(())))

    def _discriminator_loss(self, small: Tensor, wanted: Tensor) -> Out:
        with torch.no_grad():
            made = self.generator(small).to(wanted.dtype)
        real, fake = self._compare(wanted, made)
        logs = {"real": real.detach().mean(), "fake": fake.detach().mean()}
        return Out(self._judged(real, fake), logs=logs)

    def _generator_loss(self, small: Tensor, wanted: Tensor) -> Out:
        made = self.generator(small).float()
        pixels, perceptual = self.pixels(made, wanted), self._perceptual(made, wanted)
        if self._relative:
            real, fake = self._compare(wanted, made)
            fooling = self._judged(fake, real)
        else:
            fooling = F.softplus(-self.discriminator(made).float()).mean()
        config = self.config
        loss = config.pixel_weight * pixels + config.perceptual.weight * perceptual
        logs = {"pixels": pixels.detach(), "perceptual": perceptual.detach(), "fooling": fooling.detach()}
        return Out(loss + config.adversarial_weight * fooling, logs=logs)

    def _judged(self, up: Tensor, down: Tensor) -> Tensor:
        """The loss of logits of which those of `up` should be high and those of `down` low."""
        if not self._relative:
            return F.softplus(-up).mean() + F.softplus(down).mean()
        return F.softplus(down.mean() - up).mean() + F.softplus(down - up.mean()).mean()

    def _compare(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Logits, of each kind in a batch of its own, so that batch statistics are those of one kind."""
        return self.discriminator(real).float(), self.discriminator(fake).float()

    def _perceptual(self, made: Tensor, wanted: Tensor) -> Tensor:
        with torch.no_grad():
            theirs = self.loss_features(wanted)
        ours = self.loss_features(made)
        return torch.stack([F.l1_loss(a.float(), b.float()) for a, b in zip(ours, theirs, strict=True)]).mean()

    def diagnose(self, step: int, metrics: dict[str, float]) -> Diagnosis | None:
        """The doctor has nothing to look at before the discriminator joins."""
        if step <= self.config.pretrain_steps:
            return None
        return super().diagnose(step, metrics)


def random_squares(images: Tensor, size: int, random: StepRandom) -> Tensor:
    """Of each image (N, C, S, S) a square (N, C, K, K) at a random place, in one of the eight ways to lay it."""
    n, side = len(images), images.shape[-1]
    drawn = random.uniform(n, 5)
    first = (drawn[:, :2] * (side - size + 1)).long()  # (N, 2) top, left
    at = torch.arange(size, device=images.device)
    along = torch.where(drawn[:, 2:4, None] < 0.5, at, size - 1 - at) + first[:, :, None]  # (N, 2, K) rows, columns
    index = torch.arange(n, device=images.device)[:, None, None]
    cut = images[index, :, along[:, 0, :, None], along[:, 1, None, :]].permute(0, 3, 1, 2)
    return torch.where(drawn[:, 4, None, None, None] < 0.5, cut, cut.transpose(2, 3)).contiguous()
