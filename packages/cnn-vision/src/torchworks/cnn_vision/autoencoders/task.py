"""Training of autoencoders and variational autoencoders.

Shape letters: N images, C channels, S pixels, D numbers of a code.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.cnn_vision.models.autoencoder import Autoencoder
from torchworks.cnn_vision.models.vae import VAE, divergence, interpolated, log_likelihood
from torchworks.shared.fidelity import likeness
from torchworks.shared.numbers.stream import StepRandom, sample_normal
from torchworks.shared.runs.directory import picture_grid
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups

SHOWN = 12
"""Images in a row of a preview."""
ACTIVE = 0.1
"""KL divergence in nats from which a dimension of the code counts as used."""


class Reconstruction(Task):
    """What all autoencoders share: one net, Adam, and images `shown` (N, C, S, S) in [0, 1] for previews."""

    def __init__(self, model: nn.Module, shown: Tensor, *, lr: float, weight_decay: float = 0.0):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.shown = shown[:SHOWN]

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def _shown(self) -> Tensor:
        return self.shown.to(next(self.model.parameters()).device)


class Autoencoding(Reconstruction):
    """Trains `model` by the mean squared error to clean images; with `noise`, it is given noisy ones.

    Scores: `psnr` in dB, the mean over images of −10 log10 of the mean squared error; of noisy images also `psnr_noisy`
    and `psnr_gain`, what of the noise is gone.
    """

    model: Autoencoder
    watch, watch_mode = "psnr", "max"

    def __init__(self, model: Autoencoder, shown: Tensor, *, noise: float = 0.0, **options: float):
        super().__init__(model, shown, **options)
        self.noise = noise

    def noisy(self, images: Tensor, random: StepRandom) -> Tensor:
        """Images with noise, still in [0, 1], as a file could hold them."""
        if not self.noise:
            return images
        return (images + self.noise * random.normal(len(images), *images.shape[1:])).clamp(0, 1)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        restored, _ = self.model(self.noisy(batch["image"], self.random))
        return Out(F.mse_loss(restored.float(), batch["image"]))

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        images = batch["image"]
        given = self.noisy(images, self.random)
        psnr = peak_ratio(self.model(given)[0].float(), images)
        scores = {"psnr": psnr}
        if self.noise:
            before = peak_ratio(given, images)
            scores |= {"psnr_noisy": before, "psnr_gain": psnr - before}
        return {name: (value.sum(), len(images)) for name, value in scores.items()}

    @torch.no_grad()
    def preview(self) -> dict[str, Tensor]:
        images = self._shown()
        noise = sample_normal(0, range(len(images)), *images.shape[1:]).to(images.device)
        given = (images + self.noise * noise).clamp(0, 1)
        rows = [images, given, self.model(given)[0]] if self.noise else [images, self.model(given)[0]]
        return {"restored": picture_grid(torch.cat(rows), len(images))}


def peak_ratio(images: Tensor, clean: Tensor) -> Tensor:
    """PSNR in dB of each image (N, C, S, S) in [0, 1], (N,). A perfect copy has 100."""
    return likeness.peak_ratio(images, clean, 1.0)


class Variational(Reconstruction):
    """Trains `model` by the ELBO with `beta`.

    Scores: `elbo` and its parts `log_likelihood` and `kl` in nats an image, `bits_per_dim` (−ELBO / (C S² ln 2)),
    `psnr` of the images that come back from the mean code, and `active`, how many numbers of the code carry anything.
    """

    model: VAE
    watch, watch_mode = "elbo", "max"

    def __init__(self, model: VAE, shown: Tensor, *, code: int, beta: float = 1.0, **options: float):
        super().__init__(model, shown, **options)
        self.code, self.beta = code, beta
        self._divergence = torch.zeros(code)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        images = batch["image"]
        logits, mean, log_variance = self.model(images, self.random.normal(len(images), self.code))
        known, kl = log_likelihood(logits, images).mean(), divergence(mean, log_variance).sum(1).mean()
        return Out(self.beta * kl - known, logs={"log_likelihood": known, "kl": kl})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        images, count = batch["image"], len(batch["image"])
        logits, mean, log_variance = self.model(images, self.random.normal(count, self.code))
        known, kl = log_likelihood(logits, images), divergence(mean, log_variance)
        elbo = known - kl.sum(1)
        psnr = peak_ratio(self.model.decoder(mean).float().sigmoid(), images)
        scores = {"elbo": elbo, "log_likelihood": known, "kl": kl.sum(1), "psnr": psnr}
        scores["bits_per_dim"] = -elbo / (images[0].numel() * math.log(2))
        self._divergence = kl.mean(0).cpu()
        return {name: (value.sum(), count) for name, value in scores.items()} | {
            "active": (count * (self._divergence > ACTIVE).sum(), count)
        }

    @torch.no_grad()
    def preview(self) -> dict[str, Tensor]:
        images = self._shown()
        mean, _ = self.model.encode(images)
        drawn = sample_normal(0, range(SHOWN * 4), self.code).to(images.device)
        rows = {
            "restored": torch.cat([images, self._image(mean)]),
            "drawn": self._image(drawn),
            "between": self._image(interpolated(mean[:6], mean.roll(-1, 0)[:6], SHOWN).flatten(0, 1)),
            "traversal": self._image(traversal(mean[0], self._divergence, SHOWN)),
        }
        return {name: picture_grid(row, SHOWN) for name, row in rows.items()}

    def _image(self, code: Tensor) -> Tensor:
        return self.model.decoder(code).float().sigmoid()


def traversal(code: Tensor, kl: Tensor, steps: int, rows: int = 8) -> Tensor:
    """Codes (rows · steps, D): in row r the number of the code (D,) with the r-th largest `kl` (D,) goes from −2.5
    to 2.5."""
    chosen = kl.argsort(descending=True)[:rows]
    codes = code.repeat(len(chosen), steps, 1)
    for row, place in enumerate(chosen.tolist()):
        codes[row, :, place] = torch.linspace(-2.5, 2.5, steps)
    return codes.flatten(0, 1)
