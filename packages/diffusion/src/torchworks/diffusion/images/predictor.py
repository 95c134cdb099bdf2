"""A trained diffusion model as it is used: noise, and perhaps a class, to an image.

The builder rebuilds the predictor from the configuration in `model.json`; it is an entry point in the group
`torchworks.builders`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.diffusion.models import registry
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.process.denoiser import Denoiser
from torchworks.diffusion.process.drawing import draw
from torchworks.diffusion.process.served import denoising_spec, served_sampler
from torchworks.shared.config import UserError, from_dict, nearest
from torchworks.shared.denoising import Guidance
from torchworks.shared.models.denoising import Condition
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.opening import CHUNK, FinishedRun, open_run


class DiffusionPredictor(Predictor):
    """latent (N, C·S·S)[, label (N,)] → image (N, C, S, S) in [0, 1], by the sampler of the configuration.

    Guidance, sampler and steps are those that the model was saved with; `Drawer` draws with others, and so does a
    service where `denoising` is set.
    """

    def __init__(
        self,
        net: nn.Module,
        signature: Signature,
        process: ProcessConfig,
        sampling: SamplingConfig,
        shape: Sequence[int],
    ):
        super().__init__(net, signature)
        self.process, self.sampling, self.shape = process, sampling, tuple(shape)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that can be asked for; empty for a model without classes."""
        labels = [spec.labels for spec in self.signature.inputs if spec.kind == "label"]
        return labels[0] if labels else ()

    def forward(self, *inputs: Tensor) -> Tensor:
        latent, *labels = inputs
        sampling = dataclasses.replace(self.sampling, sampler=served_sampler(self.sampling))
        denoise = self.denoiser(tuple(labels), sampling)
        drawn = draw(denoise, latent.unflatten(1, self.shape), self.process, sampling)
        return self.images_of(drawn).clamp(-1, 1) / 2 + 0.5

    def images_of(self, drawn: Tensor) -> Tensor:
        """What was drawn, as images (N, C, S, S), about in [-1, 1]."""
        return drawn

    def clean(self, images: Tensor) -> Tensor:
        """Images (N, C, S, S) in [-1, 1], as what the net adds noise to."""
        return images

    def denoiser(
        self, labels: tuple[Tensor, ...], sampling: SamplingConfig, guidance: Guidance | None = None
    ) -> Denoiser:
        """The net as samplers see it, guided towards `labels` (N,), of which number `len(classes)` is no class."""
        return Denoiser(
            self.net,
            self.process,
            condition=labels,
            unconditional=tuple(torch.full_like(label, len(self.classes)) for label in labels),
            guidance=guidance or sampling.guidance_of(bool(labels)),
            clip=sampling.clip,
        )


def predictor_config(
    net: registry.NetConfig,
    process: ProcessConfig,
    sampling: SamplingConfig,
    shape: Sequence[int],
    classes: Sequence[str],
) -> dict[str, Any]:
    """What `build_images` needs, as plain data."""
    return {
        "architecture": registry.architecture_of(net),
        "net": asdict(net),
        "process": asdict(process),
        "sampling": asdict(sampling),
        "shape": list(shape),
        "classes": list(classes),
    }


def build_images(config: dict[str, Any]) -> DiffusionPredictor:
    """The predictor of a diffusion model of pixels; builder "diffusion-images"."""
    net = from_dict(registry.ARCHITECTURES[config["architecture"]], config["net"])
    process, sampling = from_dict(ProcessConfig, config["process"]), from_dict(SamplingConfig, config["sampling"])
    shape, classes = tuple(config["shape"]), tuple(config["classes"])
    module = registry.net_of(net, shape[0], len(classes))
    predictor = DiffusionPredictor(module, signature_of(shape, shape, classes), process, sampling, shape)
    conditions = [Condition("label", nothing=len(classes))] if classes else []
    predictor.denoising = denoising_spec(process, sampling, shape, *conditions)
    return predictor


def signature_of(shape: tuple[int, ...], image_shape: tuple[int, ...], classes: tuple[str, ...]) -> Signature:
    """Noise for what is drawn, of this `shape`, and a class if there are some, to an image."""
    inputs = [TensorSpec("latent", "latent", "float32", ("N", prod(shape)))]
    if classes:
        inputs.append(TensorSpec("label", "label", "int64", ("N",), low=0, high=len(classes) - 1, labels=classes))
    image = TensorSpec("image", "image", "float32", ("N", *image_shape), low=0.0, high=1.0)
    return Signature(tuple(inputs), (image,))


class Drawer:
    """Draws images with a finished run's model, by any sampler, grid, number of steps and guidance."""

    def __init__(self, run: FinishedRun, sampling: SamplingConfig | None = None):
        assert isinstance(run.predictor, DiffusionPredictor)
        self.run, self.predictor = run, run.predictor
        self.sampling = sampling or run.predictor.sampling
        self.classes = run.predictor.classes

    @torch.no_grad()
    def draw(
        self,
        seed: int,
        indices: range,
        labels: Tensor | None = None,
        *,
        callback: Callable[[int, Tensor, Tensor], None] | None = None,
    ) -> Tensor:
        """Images in [-1, 1], (N, C, S, S), on the CPU. Image i depends on `seed`, indices[i] and labels[i] alone, not
        on how many are drawn; so do the noises of a sampler that adds some in each step. With a `callback`, all are
        computed in one batch."""
        chunk = len(indices) if callback else CHUNK
        parts = [self._part(seed, indices, labels, start, chunk, callback) for start in range(0, len(indices), chunk)]
        return torch.cat(parts)

    def _part(self, seed: int, indices: range, labels: Tensor | None, start: int, chunk: int, callback: Any) -> Tensor:
        """`chunk` images from `start` on: the same number in each batch, for nets compute a row differently, in the
        last bit, among more or fewer others."""
        rows = indices[start : start + chunk]
        padded = list(rows) + [rows[-1]] * (chunk - len(rows))
        device, shape = self.run.device, self.predictor.shape

        def noise(step: int) -> Tensor:
            return sample_normal(seed, padded, step + 2, *shape)[:, -1].to(device)

        given: tuple[Tensor, ...] = ()
        if labels is not None:
            part = labels[start : start + chunk]
            given = (torch.cat([part, part[-1:].expand(chunk - len(part))]).to(device),)
        denoise = self.predictor.denoiser(given, self.sampling)
        first = sample_normal(seed, padded, *shape).to(device)
        drawn = draw(denoise, first, self.predictor.process, self.sampling, step_noise=noise, callback=callback)
        images = check_finite(self.predictor.images_of(drawn)[: len(rows)], self.run.folder, self.sampling)
        return images.clamp(-1, 1).cpu()

    def class_indices(self, names: Sequence[str]) -> list[int]:
        """The classes called `names`; all of them if there are no names. Raises `UserError` for an unknown one."""
        if names and not self.classes:
            raise UserError(
                f"{self.run.folder} is a run of {self.run.config.recipe} that knows no classes, so it cannot draw "
                "a chosen one. Name none, or use a run that was trained on labelled data."
            )
        for name in names:
            if name not in self.classes:
                known = ", ".join(self.classes[:20]) + (", …" if len(self.classes) > 20 else "")
                raise UserError(f"There is no class '{name}'.{nearest(name, self.classes)} Classes: {known}.")
        return [self.classes.index(name) for name in names or self.classes]


def check_finite(images: Tensor, folder: Path, sampling: SamplingConfig) -> Tensor:
    """`images`. Raises `UserError` if some of their values are no finite numbers."""
    if not images.isfinite().all():
        raise UserError(
            f"The model of {folder} draws values that are no finite numbers, so there is no image. With --guidance "
            f"{sampling.guidance:g} it may be asked for too much: try a value near 1. If that does not help, the "
            "weights of the run are damaged or its training failed: train again."
        )
    return images


def open_drawer(folder: Path, device: str = "auto") -> Drawer:
    """Raises `UserError` unless `folder` is a finished run of a recipe that draws images from noise, and perhaps a
    class."""
    run = open_run(folder, "diffusion", device)
    if not isinstance(run.predictor, DiffusionPredictor):
        raise UserError(
            f"{folder} is a run of {run.config.recipe}, and this needs one that draws images of a class, or of nothing "
            "but noise, such as a run of flow. Of captions `diffusion sample` and `evaluate` draw, of small images "
            "`diffusion enlarge`."
        )
    return Drawer(run)
