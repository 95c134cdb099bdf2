"""The training of the autoencoder: images through a narrow map of latents, and back."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from torchworks.diffusion.latent.config import AutoencoderTraining
from torchworks.diffusion.models.autoencoder import AutoencoderKL, kl_divergence
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw


class AutoencoderTask(Task):
    """`model` learns to give back "image" (N, C, S, S) in [-1, 1] from a draw of its latents.

    loss = mean |x - decode(z)| + kl_weight · KL / (number of pixels' values), z = mean + exp(log variance / 2) ε
    (Rombach et al. 2022, eq. 25, without the perceptual and the adversarial part, which photographs need).
    """

    watch = "psnr"
    watch_mode = "max"

    def __init__(self, model: AutoencoderKL, config: AutoencoderTraining):
        self.model, self.config = model, config

    def nets(self) -> dict[str, torch.nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(self.model.parameters(), lr=self.config.lr, weight_decay=0.0)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        image = batch["image"].float()
        mean, logvar = self.model.encode(image)
        z = mean + (logvar / 2).exp() * self.random.normal(*mean.shape)
        off = (self.model.decode(z, (image.shape[2], image.shape[3])) - image).abs().mean()
        kl = kl_divergence(mean.float(), logvar.float()).mean() / image[0].numel()
        return Out(off + self.config.kl_weight * kl, logs={"off": off.detach(), "kl": kl.detach()})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        image = batch["image"].float()
        errors = (self.model(image).clamp(-1, 1) - image).square().flatten(1).mean(1)
        return {
            "psnr": ((-10 * torch.log10(errors / 4 + 1e-12)).sum(), len(image))
        }  # values span 2, so 2² over the error
