"""A net that sees a small image beside the noisy one, and draws large images that agree with it.

Saharia et al. 2021, "Image Super-Resolution via Iterative Refinement" (SR3, arXiv:2104.07636, section 2.4): the small
image is enlarged by bicubic interpolation and joins the noisy image as further channels. What differs: the small image
is the means of blocks, and the image that the net predicts is made to agree with them in each step (Wang et al.
2022, DDNM, eq. 9), so that an enlarged image made small again is the small image.

Shape letters: N images, C channels, S pixels along a side, s along that of the small image.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from torchworks.diffusion.models import registry
from torchworks.diffusion.models.config import UNetConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.process.denoiser import Denoiser
from torchworks.diffusion.restore.restoring import interpolated, known_means
from torchworks.shared.denoising import Level


class SuperresNet(nn.Module):
    """x (N, C, S, S), time (N,), small (N, C, s, s) in [-1, 1] → what `net` predicts of x, (N, C, S, S)."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, time: Tensor, small: Tensor) -> Tensor:
        return self.net(torch.cat([x, interpolated(small, x.shape[-1]).to(x.dtype)], 1), time)


def superres_net(config: UNetConfig, channels: int) -> SuperresNet:
    return SuperresNet(registry.net_of(config, 2 * channels, out_channels=channels))


def denoiser(
    net: nn.Module, small: Tensor, process: ProcessConfig, sampling: SamplingConfig
) -> Callable[[Tensor, Level], Tensor]:
    """`net` as samplers see it: the image that it predicts agrees with `small` (N, C, s, s)."""
    predicted = Denoiser(net, process, condition=(small,), unconditional=(small,), clip=sampling.clip)
    known = known_means(small)
    return lambda x, level: known(predicted(x, level))
