"""A finished run, opened for use: its generator or translator on a device.

Images come out as the bytes that a file holds, uint8, and always from batches of one size. A net may compute a row
differently, in the last bit, among fewer or more others, and that bit decides how some pixel is rounded; so the size
of a batch is nothing a user chooses, and image i of a seed is the same image for good.

Shapes: N images, C channels, S image size.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from torchworks.gans.noise.task import to_latent
from torchworks.gans.predictor import GeneratorPredictor, TranslatorPredictor
from torchworks.shared.config import UserError, nearest
from torchworks.shared.numbers.stream import sample_normal
from torchworks.shared.runs.opening import FinishedRun, open_run

CHUNK = 16  # images computed at once


@torch.no_grad()
def compute(run: FinishedRun, *inputs: Tensor) -> Tensor:
    """The images that the run's model makes of these rows, uint8 (N, C, S, S) on the CPU."""
    parts = []
    for start in range(0, len(inputs[0]), CHUNK):
        rows = [_padded(value[start : start + CHUNK]).to(run.device) for value in inputs]
        parts.append((run.predictor(*rows) * 255).round().to("cpu", torch.uint8))
    return torch.cat(parts)[: len(inputs[0])]


def _padded(rows: Tensor) -> Tensor:
    """`CHUNK` rows: those given, then zeros."""
    return torch.cat([rows, rows.new_zeros(CHUNK - len(rows), *rows.shape[1:])])


class Generator:
    """The generator of a finished run; `classes` is empty unless it draws what class is asked for."""

    def __init__(self, run: FinishedRun):
        self.run = run
        self.latent, *label = run.predictor.signature.inputs
        self.classes = label[0].labels if label else ()

    def latents(self, seed: int, indices: range) -> Tensor:
        """Standard normal (N, latent_dim), row i of which depends on (seed, indices[i]) alone."""
        return sample_normal(seed, indices, int(self.latent.shape[1]))

    def draw(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Images, uint8 (N, C, S, S), of standard normal `latents` (N, latent_dim) and, if there are classes, of
        `labels` (N,)."""
        z = to_latent(latents, "normal" if self.latent.low is None else "uniform")
        return compute(self.run, z) if labels is None else compute(self.run, z, labels)

    def class_indices(self, names: Sequence[str]) -> list[int]:
        """The classes called `names`; all of them if there are no names. Raises `UserError` for an unknown one."""
        if names and not self.classes:
            raise UserError(
                f"{self.run.folder} is a run of {self.run.config.recipe}, which knows no classes, so it cannot draw a "
                "chosen one. Leave out --labels, or train the recipe cgan on labelled data."
            )
        for name in names:
            if name not in self.classes:
                known = ", ".join(self.classes[:20]) + (", …" if len(self.classes) > 20 else "")
                raise UserError(f"There is no class '{name}'.{nearest(name, self.classes)} Classes: {known}.")
        return [self.classes.index(name) for name in names or self.classes]


def open_generator(folder: Path, device: str = "auto") -> Generator:
    """Raises `UserError` unless `folder` is a finished run of a recipe that draws images from noise."""
    run = open_run(folder, "gans", device)
    if not isinstance(run.predictor, GeneratorPredictor):
        raise UserError(
            f"{folder} is a run of {run.config.recipe}, which turns images into others and draws none from noise. "
            f"Use `gans translate {folder} IMAGES… --out DIR`."
        )
    return Generator(run)


class Translator:
    """The translator of a finished run, in one `direction`, for images uint8 (N, `in_channels`, S, S)."""

    def __init__(self, run: FinishedRun, predictor: TranslatorPredictor, direction: str):
        self.run = run
        if predictor.direction:
            predictor.direction = direction
        self.in_channels, self.image_size = (int(size) for size in predictor.signature.inputs[0].shape[1:3])

    def translate(self, images: Tensor) -> Tensor:
        """Images of the other domain, uint8 (N, C, S, S)."""
        return compute(self.run, images)


def open_translator(folder: Path, direction: str, device: str = "auto") -> Translator:
    """Raises `UserError` unless `folder` is a finished run that translates in `direction`, "ab" or "ba"."""
    run = open_run(folder, "gans", device)
    if not isinstance(run.predictor, TranslatorPredictor):
        raise UserError(
            f"{folder} is a run of {run.config.recipe}, which draws images from noise and cannot translate any. Use "
            f"`gans sample {folder}`, or train the recipe cyclegan or pix2pix."
        )
    if direction == "ba" and not run.predictor.direction:
        raise UserError(
            f"{folder} is a run of {run.config.recipe}, which learnt one direction only. Leave out --direction ba, or "
            "train the recipe cyclegan, which learns both."
        )
    return Translator(run, run.predictor, direction)
