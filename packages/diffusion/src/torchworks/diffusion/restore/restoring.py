"""Restoring without training: in each step the image that the net predicts is made to agree with what is known.

What is known is a `Constraint`: pixels outside a hole are put back (`known_pixels`), or the mean of each block is made
that of the small image (`known_means`, the projection onto the null space of Wang et al. 2022, DDNM, eq. 9, where A is
the mean of blocks and its pseudo-inverse repeats it). `torchworks.shared.denoising.restoring` draws by it; a service
does so too.

Shape letters: N images, C channels, H height, W width.
"""

import dataclasses
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.diffusion.images.predictor import DiffusionPredictor
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.process.denoiser import Denoiser
from torchworks.shared.denoising import SAMPLERS, Level
from torchworks.shared.denoising.grids import uniform
from torchworks.shared.denoising.restoring import Constraint, noisier, restore
from torchworks.shared.fidelity import likeness
from torchworks.shared.numbers.stream import sample_normal

__all__ = ["Noises", "Restorer", "known_means", "known_pixels", "noised", "noisier", "restore", "shrunk"]


def known_pixels(image: Tensor, hole: Tensor) -> Constraint:
    """Pixels of `image` (N, C, H, W) are known but in the `hole`, bool (N, 1, H, W) or (1, 1, H, W)."""
    return lambda drawn: torch.where(hole, drawn, image)


def known_means(small: Tensor) -> Constraint:
    """The means of blocks are known: those of `small` (N, C, h, w), where H and W are multiples of h and w. Each pixel
    of a block is moved by what its mean is off."""

    def project(drawn: Tensor) -> Tensor:
        factor = drawn.shape[2] // small.shape[2], drawn.shape[3] // small.shape[3]
        off = small - F.avg_pool2d(drawn, factor)
        return drawn + off.repeat_interleave(factor[0], 2).repeat_interleave(factor[1], 3)

    return project


def shrunk(image: Tensor, factor: int) -> Tensor:
    """The means of blocks of `factor` × `factor` pixels of `image` (N, C, H, W): what `known_means` keeps."""
    return F.avg_pool2d(image, factor)


def interpolated(small: Tensor, size: int) -> Tensor:
    """`small` (N, C, s, s) at `size` by bicubic interpolation."""
    return F.interpolate(small, (size, size), mode="bicubic", align_corners=False)


def blocks(small: Tensor, size: int) -> Tensor:
    """`small` (N, C, s, s) at `size`, each pixel as a block."""
    factor = size // small.shape[-1]
    return small.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def peak_ratio(images: Tensor, truth: Tensor) -> Tensor:
    """The peak signal-to-noise ratio of each of `images` (N, C, S, S), cut to [-1, 1], in dB, (N,)."""
    return likeness.peak_ratio(images.clamp(-1, 1), truth, 2.0)


def noised(image: Tensor, level: Level, noise: Tensor) -> Tensor:
    """`image` (N, C, H, W) at the noise `level`, from which drawing goes on: the more noise, the less of it is kept
    (Meng et al. 2021, SDEdit, algorithm 1)."""
    return level.alpha * image + level.sigma * noise


@dataclass(frozen=True)
class Noises:
    """The noises that drawing `rows` images of `shape` (C, H, W) needs, by their number from 0."""

    seed: int
    rows: int
    shape: tuple[int, ...]
    device: torch.device

    def __call__(self, i: int) -> Tensor:
        """(N, C, H, W), each of which depends on the seed, its row and i alone."""
        return sample_normal(self.seed, range(self.rows), i + 1, *self.shape)[:, -1].to(self.device)


def even_levels(process: ProcessConfig, steps: int, start: float = 1.0) -> list[Level]:
    """Even steps of time from `start` on, whatever the model's own grid is."""
    return uniform(process.path_of(), steps, start=start)


@dataclass(frozen=True)
class Restorer:
    """Restores images (N, C, S, S) in [-1, 1], about, with a model that was trained to draw them.

    `labels` (N,) say what each of them shows; without them, and in a model without classes, the net is told nothing.
    """

    predictor: DiffusionPredictor
    sampling: SamplingConfig
    seed: int

    @torch.no_grad()
    def fill(self, images: Tensor, hole: Tensor, labels: Tensor | None = None, *, resamplings: int = 1) -> Tensor:
        """`images` with the `hole`, bool (N, 1, S, S) or (1, 1, S, S), filled anew."""
        return self._restored(known_pixels(images, hole), images, labels, resamplings)

    @torch.no_grad()
    def enlarge(self, small: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images whose means of blocks are `small` (N, C, s, s)."""
        return self._restored(known_means(small), small, labels, 1)

    @torch.no_grad()
    def edit(self, images: Tensor, labels: Tensor | None, strength: float) -> Tensor:
        """`images` made more like `labels`; at a `strength` of 1 nothing is kept, near 0 everything is."""
        grid = even_levels(self.predictor.process, self.sampling.steps, start=strength)
        noise = self._noises(images)
        x = noised(images, grid[0], noise(0))
        return SAMPLERS["ddpm"](self._denoiser(labels, images), x, grid, noise=lambda i: noise(i + 1))

    def _restored(self, known: Constraint, given: Tensor, labels: Tensor | None, resamplings: int) -> Tensor:
        levels = even_levels(self.predictor.process, self.sampling.steps)
        denoise = self._denoiser(labels, given)
        return restore(denoise, known, levels, self._noises(given), resamplings=resamplings)

    def _noises(self, given: Tensor) -> Noises:
        return Noises(self.seed, len(given), self.predictor.shape, given.device)

    def _denoiser(self, labels: Tensor | None, given: Tensor) -> Denoiser:
        """The net, guided to `labels`; without them, to none."""
        count, sampling = len(self.predictor.classes), self.sampling
        if not count:
            return self.predictor.denoiser((), sampling)
        if labels is None:
            labels = torch.full((len(given),), count, device=given.device)
            sampling = dataclasses.replace(sampling, guidance=1.0)
        return self.predictor.denoiser((labels,), sampling)
