"""From noise to images with a model's own process, sampler and grid."""

from collections.abc import Callable

from torch import Tensor

from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.process.denoiser import Denoiser
from torchworks.shared.denoising import Level, grid_of, sampler_of


def levels_of(process: ProcessConfig, sampling: SamplingConfig) -> list[Level]:
    """The noise levels that `sampling` passes, from the most noise to the image."""
    return grid_of(sampling.grid)(process.path_of(), sampling.steps)


def draw(
    denoise: Denoiser | Callable[[Tensor, Level], Tensor],
    noise: Tensor,
    process: ProcessConfig,
    sampling: SamplingConfig,
    *,
    step_noise: Callable[[int], Tensor] | None = None,
    callback: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Tensor:
    """Images (N, C, H, W), about in [-1, 1], of standard normal `noise` (N, C, H, W).

    `step_noise` gives the noise that a step adds, for samplers that do so, and `callback` is told of each step (see
    `torchworks.shared.denoising.samplers`).
    """
    grid = levels_of(process, sampling)
    return sampler_of(sampling.sampler)(denoise, grid[0].sigma * noise, grid, noise=step_noise, callback=callback)
