"""The commands `predict` and `evaluate` for runs of segmentation.

Shape letters: N images, C channels, S pixels, H × W pixels of an image as it is, G classes of pixels.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from torchworks.cnn_vision.inference.commands import Evaluate, Predict
from torchworks.cnn_vision.segmentation.drawing import compared, with_legend
from torchworks.cnn_vision.segmentation.metrics import SegmentationScores, image_iou
from torchworks.shared.data import Dataset
from torchworks.shared.data.boxes.draw import Color, color_of, draw_mask
from torchworks.shared.data.boxes.sample import VOID
from torchworks.shared.data.learnable import unscored
from torchworks.shared.inference.files import Prediction, predict_files
from torchworks.shared.inference.letterboxed import (
    Letterboxed,
    batches,
    letterboxed,
    outputs,
    sample_at,
    scored_parts,
    without_nan,
)
from torchworks.shared.inference.report import baselines, text, write_report
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare, save_image

WORST = 8
"""Images in `worst.png`."""


# ------------------------------------------------------------------------------------------------------- predict


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print the share of each class in each image, and draw the mask over it. Raises `UserError` that names the images
    that could not be read, once all others are done."""
    classes = classes_of(run)

    def predictions(images: list[Letterboxed]) -> Iterator[Prediction]:
        for image in images:
            mask = image.cut(outputs(run, image.input[None])["mask"][0])
            row = shares(mask, len(classes))
            yield Prediction(line(row, classes), [_rounded(row)], draw_prediction(image.whole, mask, classes, row))

    predict_files(
        arguments.images,
        lambda path: letterboxed(path, run),
        predictions,
        columns=classes,
        table=arguments.csv,
        overwrite=arguments.overwrite,
        replaced=arguments.out is None,
        drawings=arguments.out or run.folder / "predictions",
        chunk=1,
    )
    return 0


def classes_of(run: FinishedRun) -> tuple[str, ...]:
    """The names of the classes of pixels."""
    return next(spec.labels for spec in run.predictor.signature.outputs if spec.name == "mask")


def shares(mask: Tensor, num_classes: int) -> list[float]:
    """Share of each class in a mask (H, W)."""
    return (torch.bincount(mask.flatten().long(), minlength=num_classes) / mask.numel()).tolist()


def line(row: Sequence[float], classes: Sequence[str]) -> str:
    """The classes that occur with their shares, the largest first."""
    order = sorted(range(len(row)), key=lambda g: -row[g])
    return "  ".join(f"{classes[g]} {row[g]:.1%}" for g in order if row[g] > 0)


def draw_prediction(whole: Image.Image, mask: Tensor, classes: Sequence[str], row: Sequence[float]) -> Image.Image:
    """An image with its mask over it, and a legend."""
    entries = [(f"{classes[g]} {row[g]:.1%}", color_of(g)) for g in range(1, len(classes)) if row[g] > 0]
    return with_legend(draw_mask(whole, mask, colors_of(classes), 0.55), entries)


def colors_of(classes: Sequence[str]) -> list[Color]:
    return [color_of(g) for g in range(len(classes))]


def _rounded(row: Sequence[float]) -> list[str]:
    return [f"{value:.6f}" for value in row]


# ------------------------------------------------------------------------------------------------------ evaluate


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Score the run, write evaluation.json, worst.png and report.html, and print a table."""
    folder = arguments.out or run.folder / "evaluation"
    written = ["evaluation.json", "worst.png", "report.html"]
    prepare(folder, written, overwrite=arguments.overwrite or arguments.out is None)
    classes = classes_of(run)
    parts = scored_parts(run, arguments.data, ("image", "mask"), {"mask": classes})
    scores, images = SegmentationScores(len(classes)), []
    for batch in batches(parts):
        masks = outputs(run, batch["image"])["mask"]
        scores.update(masks, batch["mask"])
        images += [image_iou(*pair, len(classes)) for pair in zip(masks, batch["mask"], strict=True)]
    figures = scores.compute() | (baselines(run.folder) if arguments.data is None else {})
    table = scores.table(classes)
    write_json(folder / "evaluation.json", {**figures, "classes": without_nan(table)})
    _draw_worst(folder / "worst.png", run, parts, sorted(range(len(images)), key=lambda i: images[i])[:WORST])
    title = f"{run.config.recipe} on {arguments.data or run.config.data}"
    headings = {"worst": "The worst images: image, truth, prediction"}
    write_report(folder, title, figures, {"By class": table}, headings)
    print(text(figures, table))
    for note in unscored(parts, "mask"):
        print(note)
    print(folder)
    return 0


def _draw_worst(path: Path, run: FinishedRun, parts: Sequence[Dataset], chosen: Sequence[int]) -> None:
    """Images, their true masks, and the predictions."""
    samples = [sample_at(parts, i) for i in chosen]
    images, truths = (torch.stack([sample[name] for sample in samples]) for name in ("image", "mask"))
    masks, classes = outputs(run, images)["mask"], classes_of(run)
    colors = colors_of(classes)
    sheet = Image.fromarray(compared(list(zip(images, truths, masks, strict=True)), colors).permute(1, 2, 0).numpy())
    seen = sorted({int(g) for mask in (truths, masks) for g in mask.unique()} - {0, VOID})
    save_image(with_legend(sheet, [(classes[g], colors[g]) for g in seen], "image, truth, prediction:"), path)
