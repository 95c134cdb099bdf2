"""What the commands of detectors, segmenters and drivers have in common: pictures read whole, answers, tables; and the
data that they are scored on.

Shape letters: N images, C channels, S pixels.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchworks.cnn_vision.data.fields import open_fields
from torchworks.cnn_vision.data.sample import Letterbox
from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Dataset
from torchworks.shared.data.images import PIXEL_LIMIT
from torchworks.shared.data.images import picture as read_picture
from torchworks.shared.data.listing import some
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import file_name, make_folder

BATCH = 32


# ------------------------------------------------------------------------------------------------------ pictures


@dataclass(frozen=True)
class Fitted:
    """A picture in colour as it is, and as the model takes it."""

    whole: Image.Image
    input: Tensor
    """uint8 (C, S, S)"""
    box: Letterbox

    def cut(self, values: Tensor) -> Tensor:
        """What of a map (S, S) is the picture, without the padding."""
        width, height = self.box.inside
        return values[:height, :width]


def fitted(path: Path, run: FinishedRun) -> Fitted:
    """Raises `Unreadable`."""
    channels, size = (int(n) for n in run.predictor.signature.inputs[0].shape[1:3])
    whole = read_picture(path, PIXEL_LIMIT)
    box = Letterbox(whole.width, whole.height, size)
    values = torch.from_numpy(np.array(box.picture(whole.convert("L" if channels == 1 else "RGB"))))
    pixels = values[None] if channels == 1 else values.permute(2, 0, 1).contiguous()
    return Fitted(whole.convert("RGB"), pixels, box)


@torch.no_grad()
def answers(run: FinishedRun, images: Tensor) -> dict[str, Tensor]:
    """The predictor's outputs by name, on the CPU, for images uint8 (N, C, S, S)."""
    parts = [run.predictor(part.to(run.device)) for part in images.split(BATCH)]
    names = [spec.name for spec in run.predictor.signature.outputs]
    return {name: torch.cat(values).cpu() for name, values in zip(names, zip(*parts, strict=True), strict=True)}


def output_files(files: dict[Path, Path], folder: Path) -> dict[Path, Path]:
    """A PNG file in `folder`, which is made, for each picture. Raises `UserError` if it would replace a picture that is
    to be read."""
    make_folder(folder)
    places: dict[Path, Path] = {}
    taken: set[Path] = set()
    for path, name in files.items():
        place = folder / f"{file_name(str(name.with_suffix('')))}.png"
        if place in taken:  # of a name that another folder or format has too
            place = folder / f"{file_name(str(path))}.png"
        taken.add(place)
        places[path] = place
    read = {path.resolve() for path in files}
    if clash := [place for place in places.values() if place.resolve() in read]:
        raise UserError(f"{clash[0]} is one of the pictures to read, and would be replaced. Choose another --out.")
    return places


def print_rows(rows: dict[Path, str]) -> None:
    width = max((len(str(path)) for path in rows), default=0)
    for path, line in rows.items():
        print(f"{path!s:<{width}}  {line}")


def write_table(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(head)
        table.writerows(rows)


def refuse_unreadable(bad: dict[Path, str]) -> None:
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")


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
    """None for what there is not, since JSON knows no NaN."""
    return [{name: None if value != value else value for name, value in row.items()} for row in table]
