"""A net as samplers see it: from a noisy image and its level to the image that the net predicts to be in it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from torchworks.diffusion.process.config import ProcessConfig
from torchworks.shared.denoising import Guidance, Level, guided, image_of, input_factor


class Denoiser:
    """`denoise(x, level)` of a sampler, for a net, a condition and a guidance.

    `condition` are the net's inputs after x and time, each (N, …), and `unconditional` what stands for none of them.
    With guidance both are computed in one batch of 2 N, which is quicker than two of N and gives the same.
    """

    def __init__(
        self,
        net: nn.Module,
        process: ProcessConfig,
        *,
        condition: Sequence[Tensor] = (),
        unconditional: Sequence[Tensor] = (),
        guidance: Guidance | None = None,
        clip: bool = False,
    ):
        self.net, self.process, self.clip = net, process, clip
        self.condition, self.unconditional = condition, unconditional
        self.guidance = (guidance or Guidance()) if condition else Guidance()

    def __call__(self, x: Tensor, level: Level) -> Tensor:
        kind, data, alpha, sigma = self.process.prediction, self.process.sigma_data, level.alpha, level.sigma
        predicted = self._predicted(x * input_factor(kind, alpha, sigma, sigma_data=data), level)
        image = image_of(kind, predicted, x, alpha, sigma, sigma_data=data)
        return image.clamp(-1, 1) if self.clip else image

    def _predicted(self, x: Tensor, level: Level) -> Tensor:
        weight, n = self.guidance.weight_at(level), x.shape[0]
        time = x.new_full((1,), level.time)
        if weight == 1:
            return self.net(x, time.expand(n), *self.condition)
        if weight == 0:
            return self.net(x, time.expand(n), *self.unconditional)
        both = [torch.cat(pair) for pair in zip(self.condition, self.unconditional, strict=True)]
        predicted = self.net(torch.cat([x, x]), time.expand(2 * n), *both)
        return guided(predicted[:n], predicted[n:], weight)  # cut at n: `chunk` would fix the batch size of an export
