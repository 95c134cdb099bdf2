"""The commands `predict` and `evaluate` for a finished segmenter.

Shape letters: N images, C channels, S pixels, H × W pixels of a picture as it is, G classes of pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from torchworks.cnn_vision.classification.evaluate import baselines
from torchworks.cnn_vision.commands import Evaluate, Predict
from torchworks.cnn_vision.data.draw import Colour, colour_of, draw_mask
from torchworks.cnn_vision.data.sample import VOID
from torchworks.cnn_vision.inference.letterboxed import (
    answers,
    batches,
    fitted,
    output_files,
    print_rows,
    refuse_unreadable,
    sample_at,
    scored_parts,
    without_nan,
    write_table,
)
from torchworks.cnn_vision.inference.report import text, write_report
from torchworks.cnn_vision.segmentation.drawing import compared, with_legend
from torchworks.cnn_vision.segmentation.metrics import SegmentationScores, image_iou
from torchworks.shared.data import Dataset
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import make_folder, progress

WORST = 8
"""Images in the picture of the worst."""


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


def classes_of(run: FinishedRun) -> tuple[str, ...]:
    """The names of the classes of pixels."""
    return next(spec.labels for spec in run.predictor.signature.outputs if spec.name == "mask")


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


def _rounded(row: Sequence[float]) -> list[str]:
    return [f"{value:.6f}" for value in row]


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


def _draw_worst(path: Path, run: FinishedRun, parts: Sequence[Dataset], chosen: Sequence[int]) -> None:
    """Images, their true masks, and the answers."""
    samples = [sample_at(parts, i) for i in chosen]
    images, truths = (torch.stack([sample[name] for sample in samples]) for name in ("image", "mask"))
    masks, classes = answers(run, images)["mask"], classes_of(run)
    colours = colours_of(classes)
    sheet = Image.fromarray(compared(list(zip(images, truths, masks, strict=True)), colours).permute(1, 2, 0).numpy())
    seen = sorted({int(g) for mask in (truths, masks) for g in mask.unique()} - {0, VOID})
    with_legend(sheet, [(classes[g], colours[g]) for g in seen], "image, truth, answer:").save(path)
