"""A trained enlarger as it is used: noise and a small image to a large one.

The builder rebuilds the predictor from the configuration in `model.json`; it is an entry point in the group
`torchworks.builders`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.diffusion.models.config import UNetConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.process.drawing import draw
from torchworks.diffusion.process.served import served_sampler
from torchworks.diffusion.superres.config import SuperresConfig
from torchworks.diffusion.superres.net import SuperresNet, denoiser, superres_net
from torchworks.shared.config import UserError, from_dict
from torchworks.shared.denoising import Level
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.opening import CHUNK, FinishedRun, open_run


class SuperresPredictor(Predictor):
    """latent (N, C·S·S), small (N, C, s, s), uint8 → image (N, C, S, S) in [0, 1], by the sampler of the
    configuration; the means of its blocks are those of the small image."""

    def __init__(
        self,
        net: SuperresNet,
        signature: Signature,
        process: ProcessConfig,
        sampling: SamplingConfig,
        shape: Sequence[int],
        factor: int,
    ):
        super().__init__(net, signature)
        self.process, self.sampling, self.shape, self.factor = process, sampling, tuple(shape), factor

    def forward(self, *inputs: Tensor) -> Tensor:
        latent, small = inputs
        sampling = dataclasses.replace(self.sampling, sampler=served_sampler(self.sampling))
        unit = small.float() / 127.5 - 1
        drawn = draw(self.denoiser(unit, sampling), latent.unflatten(1, self.shape), self.process, sampling)
        return drawn.clamp(-1, 1) / 2 + 0.5

    def denoiser(self, small: Tensor, sampling: SamplingConfig) -> Callable[[Tensor, Level], Tensor]:
        """The net as samplers see it, for `small` (N, C, s, s) in [-1, 1]."""
        return denoiser(self.net, small, self.process, sampling)


def predictor_config(config: SuperresConfig, shape: Sequence[int]) -> dict[str, Any]:
    """What `build_superres` needs, as plain data."""
    parts = {name: dataclasses.asdict(getattr(config, name)) for name in ("net", "process", "sampling")}
    return {**parts, "shape": list(shape), "factor": config.factor}


def build_superres(config: dict[str, Any]) -> SuperresPredictor:
    """The predictor of a model that enlarges; builder "diffusion-superres"."""
    shape, factor = tuple(config["shape"]), config["factor"]
    channels, size, _ = shape
    process, sampling = from_dict(ProcessConfig, config["process"]), from_dict(SamplingConfig, config["sampling"])
    signature = Signature(
        (
            TensorSpec("latent", "latent", "float32", ("N", prod(shape))),
            TensorSpec("small", "image", "uint8", ("N", channels, size // factor, size // factor)),
        ),
        (TensorSpec("image", "image", "float32", ("N", *shape), low=0.0, high=1.0),),
    )
    net = superres_net(from_dict(UNetConfig, config["net"]), channels)
    return SuperresPredictor(net, signature, process, sampling, shape, factor)


@dataclasses.dataclass(frozen=True)
class Enlarger:
    """Enlarges images with a finished run's model, by any sampler, grid and number of steps."""

    run: FinishedRun
    predictor: SuperresPredictor
    sampling: SamplingConfig

    @torch.no_grad()
    def enlarge(self, small: Tensor, seed: int, *, start: int = 0) -> Tensor:
        """`small` (N, C, s, s) in [-1, 1] → (N, C, S, S), about in [-1, 1], on the CPU. Image i depends on the seed,
        start + i and small[i] alone."""
        parts = [self._part(small[i : i + CHUNK], seed, start + i) for i in range(0, len(small), CHUNK)]
        return torch.cat(parts)

    def _part(self, small: Tensor, seed: int, start: int) -> Tensor:
        """`CHUNK` rows, the last ones repeated: a net computes a row differently, in the last bit, among fewer."""
        rows, device = [*range(len(small)), *[len(small) - 1] * (CHUNK - len(small))], self.run.device
        places, shape = [start + row for row in rows], self.predictor.shape

        def noise(step: int) -> Tensor:
            return sample_normal(seed, places, step + 2, *shape)[:, -1].to(device)

        denoise = self.predictor.denoiser(small[rows].to(device), self.sampling)
        first = sample_normal(seed, places, *shape).to(device)
        return draw(denoise, first, self.predictor.process, self.sampling, step_noise=noise)[: len(small)].cpu()


def open_enlarger(folder: Path, device: str = "auto") -> Enlarger:
    """Raises `UserError` unless `folder` is a finished run of a recipe that was trained to enlarge."""
    run = open_run(folder, "diffusion", device)
    if not isinstance(run.predictor, SuperresPredictor):
        raise UserError(f"{folder} is a run of {run.config.recipe}, which was not trained to enlarge images.")
    return Enlarger(run, run.predictor, run.predictor.sampling)
