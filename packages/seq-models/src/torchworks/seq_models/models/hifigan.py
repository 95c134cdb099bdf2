"""A net that makes sound of a log-mel spectrogram, all samples at once.

Kong, Kim & Bae 2020, "HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech Synthesis"
(arXiv:2010.05646), section 2.2, the generator.

The idea: transposed convolutions stretch the frames to samples, by a factor each, and after each of them several stacks
of dilated convolutions look at the result at several widths at once. The mean of the stacks is multi-receptive field
fusion (figure 1):

    x ← upsample_i(leaky_relu(x)),    x ← 1/K Σ_k stack_k(x),    sound = tanh(conv(leaky_relu(x)))

Channels halve where time is stretched, so that each stage costs about as much as the one before.

What differs from the paper: weights are not normalised (Salimans & Kingma 2016), as of a net that is used; and the last
leaky ReLU has the slope 0.01, as in the authors' code.

Shape letters: N rows, T frames, M mels, L = T · H samples, where H, the hop, is the product of `upsample_rates`.
"""

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1
"""Of leaky ReLUs, below 0."""
LAST_SLOPE = 0.01


class HiFiGAN(nn.Module):
    """HiFi-GAN's generator: log-mel (N, T, M) → sound (N, L) in −1..1.

    `upsample_rates` and `upsample_kernels` are those of the transposed convolutions; a kernel minus its rate must be
    even and not negative. `stack_kernels` and `stack_dilations` are one stack of residual blocks each. `channels` is
    the width before the first stage. The defaults are the paper's V1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        num_mels: int = 80,
        *,
        channels: int = 512,
        upsample_rates: Sequence[int] = (8, 8, 2, 2),
        upsample_kernels: Sequence[int] = (16, 16, 4, 4),
        stack_kernels: Sequence[int] = (3, 7, 11),
        stack_dilations: Sequence[Sequence[int]] = ((1, 3, 5),) * 3,
    ):
        super().__init__()
        _check(channels, upsample_rates, upsample_kernels, stack_kernels, stack_dilations)
        self.hop, self.stacks = prod(upsample_rates), len(stack_kernels)
        self.conv_pre = nn.Conv1d(num_mels, channels, 7, padding=3)
        self.upsampler, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(upsample_rates, upsample_kernels, strict=True):
            half = (kernel - rate) // 2
            self.upsampler.append(nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=half))
            channels //= 2
            for width, dilations in zip(stack_kernels, stack_dilations, strict=True):
                self.resblocks.append(ResidualStack(channels, width, dilations))
        self.conv_post = nn.Conv1d(channels, 1, 7, padding=3)
        self.register_buffer("mean", torch.zeros(num_mels))
        self.register_buffer("scale", torch.ones(num_mels))

    def forward(self, mel: Tensor) -> Tensor:
        x = self.conv_pre(((mel - self.mean) / self.scale).transpose(1, 2))  # (N, channels, T)
        for i, upsample in enumerate(self.upsampler):
            x = upsample(F.leaky_relu(x, SLOPE))
            stacks = self.resblocks[i * self.stacks : (i + 1) * self.stacks]
            x = torch.stack([stack(x) for stack in stacks]).sum(0) / self.stacks
        return self.conv_post(F.leaky_relu(x, LAST_SLOPE)).tanh()[:, 0]

    @torch.no_grad()
    def normalize_by(self, mean: Tensor, scale: Tensor) -> None:
        """Subtract `mean` (M,) from log-mels, and divide by `scale` (M,)."""
        self.mean.copy_(mean)
        self.scale.copy_(scale)


class ResidualStack(nn.Module):
    """ResBlock 1 of the paper's appendix A.1: (N, C, L) → (N, C, L), x ← x + conv(leaky(dilated conv(leaky(x))))."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]):
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=each, padding=each * (kernel - 1) // 2) for each in dilations
        )
        self.convs2 = nn.ModuleList(nn.Conv1d(channels, channels, kernel, padding=kernel // 2) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.leaky_relu(dilated(F.leaky_relu(x, SLOPE)), SLOPE))
        return x


def _check(
    channels: int,
    rates: Sequence[int],
    kernels: Sequence[int],
    stack_kernels: Sequence[int],
    stack_dilations: Sequence[Sequence[int]],
) -> None:
    if len(rates) != len(kernels) or len(stack_kernels) != len(stack_dilations):
        raise ValueError("give a kernel for each upsampling rate, and dilations for each stack")
    for rate, kernel in zip(rates, kernels, strict=True):
        if kernel < rate or (kernel - rate) % 2:
            raise ValueError(f"an upsampling kernel minus its rate must be even and at least 0: {kernel} - {rate}")
    if channels % 2 ** len(rates):
        raise ValueError(f"channels must be a multiple of {2 ** len(rates)}, for each stage halves them: {channels}")
    if any(kernel % 2 == 0 for kernel in stack_kernels):
        raise ValueError(f"kernels of stacks must be odd: {tuple(stack_kernels)}")
