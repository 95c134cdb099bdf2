"""The commands `predict` and `evaluate` for a finished segmenter.

Shape letters: N images, C channels, S pixels, H × W pixels of a picture as it is, G classes of pixels.
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

from torchworks.cnn_vision.commands import Evaluate, Predict
from torchworks.cnn_vision.evaluate import baselines
from torchworks.cnn_vision.report import text, write_report
from torchworks.cnn_vision.scenes.draw import Colour, colour_of, draw_mask
from torchworks.cnn_vision.scenes.sample import VOID, Letterbox
from torchworks.cnn_vision.segmentation.data import open_fields
from torchworks.cnn_vision.segmentation.pictures import compared, with_legend
from torchworks.cnn_vision.segmentation.scores import SegmentationScores, image_iou
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset
from torchworks.shared.data.images import PIXEL_LIMIT, find_images
from torchworks.shared.data.images import picture as read_picture
from torchworks.shared.data.listing import some
from torchworks.shared.finished import FinishedRun
from torchworks.shared.outputs import file_name, make_folder, progress
from torchworks.shared.pictures import Unreadable
from torchworks.shared.run import write_json

WORST = 8
"""Images in the picture of the worst."""
BATCH = 32


# ------------------------------------------------------------------------------------------------------- predict


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print a line for each picture, and draw it with its mask. Raises `UserError` that names those that could not be
    read, once all others are done."""
    files, bad = find_images(arguments.images)
    folder = arguments.out or arguments.run / "predictions"
    places = output_files(files, folder)
    classes = classes_of(run)
    rows: dict[Path, list[float]] = {}
    for path in progress(files, "looking at pictures", len(files)):
        try:
            found = fitted(path, run)
        except Unreadable as error:
            bad[path] = str(error)
            continue
        mask = found.cut(answers(run, found.input[None])["mask"][0])
        rows[path] = shares(mask, len(classes))
        draw_answer(found.whole, mask, classes, rows[path]).save(places[path])
    print_rows({path: said(row, classes) for path, row in rows.items()})
    if arguments.csv is not None:
        write_table(arguments.csv, ["path", *classes], [[path, *_rounded(row)] for path, row in rows.items()])
    print(folder)
    refuse_unreadable(bad)
    return 0


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


def classes_of(run: FinishedRun) -> tuple[str, ...]:
    """The names of the classes of pixels."""
    return next(spec.labels for spec in run.predictor.signature.outputs if spec.name == "mask")


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


def shares(mask: Tensor, num_classes: int) -> list[float]:
    """How much of a mask (H, W) each class takes."""
    return (torch.bincount(mask.flatten().long(), minlength=num_classes) / mask.numel()).tolist()


def said(row: Sequence[float], classes: Sequence[str]) -> str:
    """The classes that there are with their shares, the largest first."""
    order = sorted(range(len(row)), key=lambda g: -row[g])
    return "  ".join(f"{classes[g]} {row[g]:.1%}" for g in order if row[g] > 0)


def draw_answer(whole: Image.Image, mask: Tensor, classes: Sequence[str], row: Sequence[float]) -> Image.Image:
    """A picture with its mask over it, and what its colours mean."""
    entries = [(f"{classes[g]} {row[g]:.1%}", colour_of(g)) for g in range(1, len(classes)) if row[g] > 0]
    return with_legend(draw_mask(whole, mask, colours_of(classes), 0.55), entries)


def colours_of(classes: Sequence[str]) -> list[Colour]:
    return [colour_of(g) for g in range(len(classes))]


def print_rows(rows: dict[Path, str]) -> None:
    width = max((len(str(path)) for path in rows), default=0)
    for path, line in rows.items():
        print(f"{path!s:<{width}}  {line}")


def write_table(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(head)
        table.writerows(rows)


def _rounded(row: Sequence[float]) -> list[str]:
    return [f"{value:.6f}" for value in row]


def refuse_unreadable(bad: dict[Path, str]) -> None:
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")


# ------------------------------------------------------------------------------------------------------ evaluate


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Score the run, write evaluation.json, worst.png and report.html, and print a table."""
    folder = arguments.out or arguments.run / "evaluation"
    make_folder(folder)
    classes = classes_of(run)
    parts = scored_parts(run, arguments.data, ("image", "mask"), {"mask": classes})
    scores, images = SegmentationScores(len(classes)), []
    for batch in batches(parts):
        masks = answers(run, batch["image"])["mask"]
        scores.update(masks, batch["mask"])
        images += [image_iou(*pair, len(classes)) for pair in zip(masks, batch["mask"], strict=True)]
    figures = scores.compute() | (baselines(arguments.run) if arguments.data is None else {})
    table = scores.table(classes)
    write_json(folder / "evaluation.json", {**figures, "classes": without_nan(table)})
    _draw_worst(folder / "worst.png", run, parts, sorted(range(len(images)), key=lambda i: images[i])[:WORST])
    title = f"{run.config.recipe} on {arguments.data or run.config.data}"
    headings = {"worst": "The worst images: as they are, the truth, the answer"}
    write_report(folder, title, figures, {"By class": table}, headings)
    print(text(figures, table))
    print(folder)
    return 0


def scored_parts(
    run: FinishedRun, data: str | None, fields: Sequence[str], classes: dict[str, tuple[str, ...]]
) -> list[Dataset]:
    """The run's test images, or all images of another source, whose classes must have the same names: those of each
    field in `classes`."""
    channels = run.predictor.signature.inputs[0].shape[1]
    assert isinstance(channels, int)
    loader = replace(run.config.loader, channels=channels)
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


def _draw_worst(path: Path, run: FinishedRun, parts: Sequence[Dataset], chosen: Sequence[int]) -> None:
    """Images, their true masks, and the answers."""
    samples = [sample_at(parts, i) for i in chosen]
    images, truths = (torch.stack([sample[name] for sample in samples]) for name in ("image", "mask"))
    masks, classes = answers(run, images)["mask"], classes_of(run)
    colours = colours_of(classes)
    sheet = Image.fromarray(compared(list(zip(images, truths, masks, strict=True)), colours).permute(1, 2, 0).numpy())
    seen = sorted({int(g) for mask in (truths, masks) for g in mask.unique()} - {0, VOID})
    with_legend(sheet, [(classes[g], colours[g]) for g in seen], "image, truth, answer:").save(path)
