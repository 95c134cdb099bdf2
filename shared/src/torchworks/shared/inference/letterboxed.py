"""Images of any shape for nets that take squares: fitted into the square with padding, and outputs cut back to the
image; and the data sets on which such nets are scored.

Shape letters: N images, C channels, S pixels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Dataset
from torchworks.shared.data.boxes.sample import Letterbox
from torchworks.shared.data.fields import open_fields
from torchworks.shared.data.images import PIXEL_LIMIT
from torchworks.shared.data.images import picture as read_picture
from torchworks.shared.runs.opening import FinishedRun

BATCH = 32


# ------------------------------------------------------------------------------------------------------ images


@dataclass(frozen=True)
class Letterboxed:
    """An image in color as it is, and as the model takes it."""

    whole: Image.Image
    input: Tensor
    """uint8 (C, S, S)"""
    box: Letterbox

    def cut(self, values: Tensor) -> Tensor:
        """The part of a map (S, S) that is the image, without the padding."""
        width, height = self.box.inside
        return values[:height, :width]


def letterboxed(path: Path, run: FinishedRun) -> Letterboxed:
    """The image in a file; raises `Unreadable`."""
    channels, size = (int(n) for n in run.predictor.signature.inputs[0].shape[1:3])
    whole = read_picture(path, PIXEL_LIMIT)
    box = Letterbox(whole.width, whole.height, size)
    values = torch.from_numpy(np.array(box.picture(whole.convert("L" if channels == 1 else "RGB"))))
    pixels = values[None] if channels == 1 else values.permute(2, 0, 1).contiguous()
    return Letterboxed(whole.convert("RGB"), pixels, box)


@torch.no_grad()
def outputs(run: FinishedRun, images: Tensor) -> dict[str, Tensor]:
    """The predictor's outputs by name, on the CPU, for images uint8 (N, C, S, S)."""
    parts = [run.predictor(part.to(run.device)) for part in images.split(BATCH)]
    names = [spec.name for spec in run.predictor.signature.outputs]
    return {name: torch.cat(values).cpu() for name, values in zip(names, zip(*parts, strict=True), strict=True)}


# ---------------------------------------------------------------------------------------------------------- data


def scored_parts(
    run: FinishedRun, data: str | None, fields: Sequence[str], classes: dict[str, tuple[str, ...]]
) -> list[Dataset]:
    """The run's test images, or all images of another source, whose classes must have the same names: those of each
    field in `classes`."""
    channels = run.predictor.signature.inputs[0].shape[1]
    assert isinstance(channels, int)
    loader = replace(ImageConfig.of(run.config.loader, run.config.data), channels=channels)
    source = open_fields(data or run.config.data, loader, run.config.seed, fields)
    for name, wanted in classes.items():
        if source.schema[name].classes != wanted:
            raise UserError(
                f"The classes of {source.name} are not those that the run was trained on: it has "
                f"{', '.join(source.schema[name].classes)}; the run knows {', '.join(wanted)}, in this order."
            )
    return [source.test] if data is None else [source.train, source.test]


def batches(parts: Sequence[Dataset]) -> Iterator[dict[str, Tensor]]:
    """All samples of some parts, in order, stacked."""
    for part in parts:
        for start in range(0, len(part), BATCH):
            samples = [part[i] for i in range(start, min(start + BATCH, len(part)))]
            yield {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}


def sample_at(parts: Sequence[Dataset], place: int) -> dict[str, Tensor]:
    """Sample `place` of all parts together."""
    for part in parts:
        if place < len(part):
            return part[place]
        place -= len(part)
    raise IndexError(place)


def without_nan(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`table` with None in place of NaN, which JSON does not have."""
    return [{name: None if value != value else value for name, value in row.items()} for row in table]
