"""pix2pix: image-to-image translation learnt from pairs.

Isola, Zhu, Zhou & Efros 2017, "Image-to-Image Translation with Conditional Adversarial Networks"
(arXiv:1611.07004).

The idea: the mean absolute difference alone gives blurred results; a discriminator that sees the input x together
with an output decides, patch by patch, whether the output is a sharp and fitting one (eq. 1–4):

    L_D = ½ [E softplus(−D(x, y)) + E softplus(D(x, G(x)))]
    L_G = E softplus(−D(x, G(x))) + λ E |y − G(x)|              λ = 100

What differs: the generator is CycleGAN's residual net (translators.py) instead of a U-Net, without the dropout
that the paper uses as noise; so one input has one output.

Pairs come from a folder (`open_pairs` in translation.py), or are made from any set of images: the input is then
the `outline` of the image, or its `blur`.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.adversarial.doctor import WatchedTask
from torchworks.gans.adversarial.losses import nonsaturating_discriminator, nonsaturating_generator
from torchworks.gans.translation.config import Pix2PixConfig
from torchworks.shared.fidelity import Judge
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out, Phase
from torchworks.shared.training.optim import adam

PREVIEW_COLUMNS = 10


def outline(images: Tensor) -> Tensor:
    """The edge just outside of what is brighter than mid-grey, one pixel wide: (N, C, H, W) in [-1, 1] → the same
    shape, -1 or 1."""
    inside = (images > 0).to(images.dtype)
    grown = F.max_pool2d(inside, 3, stride=1, padding=1)
    return 2 * (grown - inside) - 1


def blur(images: Tensor) -> Tensor:
    """Each 4 × 4 block replaced by its mean: (N, C, H, W), sides divisible by 4."""
    return F.interpolate(F.avg_pool2d(images, 4), scale_factor=4.0, mode="bilinear")


MAKERS = {"outline": outline, "blur": blur}


class Pix2PixTask(WatchedTask):
    """Batches have the pair "a_image" (input) and "b_image" (wanted), or "image" (wanted), all (N, C, S, S) in
    [-1, 1]; the input is then made by `config.pair`. With a `judge` and labels, evaluations also read the label off
    the output. `examples` is a batch to show in previews."""

    phases = (Phase("d", net="discriminator"), Phase("g", net="generator"))
    exported = ("generator",)
    watch = "l1"

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        config: Pix2PixConfig,
        *,
        judge: Judge | None = None,
        examples: dict[str, Tensor] | None = None,
    ):
        self.generator, self.discriminator, self.config = generator, discriminator, config
        self.judge, self.examples = judge, examples

    def nets(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.nets()[net].parameters(), lr=self.config.optim.lr, betas=self.config.betas)

    def pair(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Input and wanted output."""
        if "b_image" in batch:
            return batch["a_image"], batch["b_image"]
        return MAKERS[self.config.pair](batch["image"]), batch["image"]

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        given, wanted = self.pair(batch)
        if phase == "d":
            return self._discriminator_loss(given, wanted)
        fake = self.generator(given)
        fooling = nonsaturating_generator(None, self.discriminator(torch.cat([given, fake], dim=1)))
        l1 = (fake.float() - wanted).abs().mean()
        logs = {"fooling": fooling.detach(), "l1": l1.detach()}
        return Out(fooling + self.config.l1_weight * l1, logs=logs)

    def _discriminator_loss(self, given: Tensor, wanted: Tensor) -> Out:
        with torch.no_grad():
            fake = self.generator(given).to(wanted.dtype)
        pairs = torch.cat([torch.cat([given, wanted], dim=1), torch.cat([given, fake], dim=1)])
        real, fake = self.discriminator(pairs).float().chunk(2)
        logs = {"real": real.detach().mean(), "fake": fake.detach().mean()}
        return Out(nonsaturating_discriminator(real, fake) / 2, logs=logs)

    # ---- evaluation --------------------------------------------------------------------------------------

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        given, wanted = self.pair(batch)
        return self.scores(self.generator(given).float(), wanted, batch.get("label"))

    def scores(self, output: Tensor, wanted: Tensor, labels: Tensor | None) -> dict[str, tuple[Tensor, int]]:
        """Mean absolute difference on a scale from 0 to 1, and the share of outputs that the judge reads right."""
        n = len(wanted)
        scores = {"l1": ((output - wanted).abs().mean() / 2 * n, n)}
        if self.judge is not None and labels is not None:
            scores["label_read"] = ((self.judge.logits(output).argmax(dim=1) == labels).sum(), n)
        return scores

    def preview(self) -> dict[str, Tensor]:
        """Rows of inputs, outputs and what was wanted."""
        if self.examples is None:
            return {}
        device = next(self.generator.parameters()).device
        given, wanted = self.pair({name: value[:PREVIEW_COLUMNS].to(device) for name, value in self.examples.items()})
        rows = torch.cat([given, self.generator(given), wanted])
        return {"translations": picture_grid(rows / 2 + 0.5, len(given))}
