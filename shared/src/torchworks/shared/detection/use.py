"""What commands do with a finished run whose model gives boxes, scores and labels: objects in files, and scores of data
sets.

Shape letters: N images, C channels, S pixels, D detections of an image.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchworks.shared.data import Dataset
from torchworks.shared.data.boxes.draw import color_of, draw_boxes, draw_mask, enlarged
from torchworks.shared.data.learnable import unscored
from torchworks.shared.detection.metrics import AveragePrecision, Found, precision_by_class, truths_of
from torchworks.shared.detection.mistakes import draw_worst, mistakes
from torchworks.shared.inference import report
from torchworks.shared.inference.files import Prediction, predict_files
from torchworks.shared.inference.letterboxed import Letterboxed, batches, letterboxed, outputs, scored_parts
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare

SIDE = 320
"""Pixels to which the longer side of a small image is enlarged, about, for drawing."""
LIKELY = 0.5
"""Score from which a detection counts as an error in `worst.png`."""
COLUMNS = ["label", "score", "x1", "y1", "x2", "y2"]
"""Of the table of objects."""

Find = Callable[[Tensor], list[Found]]
"""What is found in each of a batch of images, uint8 (N, C, S, S), with whole masks."""


def labels_of_run(run: FinishedRun) -> tuple[str, ...]:
    """The classes of the run's third output."""
    return run.predictor.signature.outputs[2].labels


# -------------------------------------------------------------------------------------------------- predict


def detect_files(
    run: FinishedRun,
    images: Sequence[Path],
    *,
    least_score: float,
    table: Path | None = None,
    drawings: Path | None = None,
    overwrite: bool = False,
    draw: Callable[[Letterboxed, Found], Image.Image] | None = None,
) -> None:
    """Print the objects of each image, and draw them into it, by `draw` if it is given. Raises `UserError` that names
    the images that could not be read, once all others are done."""
    names = labels_of_run(run)

    def predictions(images: list[Letterboxed]) -> Iterator[Prediction]:
        for image in images:
            found = detections(run, image, least_score)
            rows = [
                [names[label], f"{score:.6f}", *(f"{edge:.1f}" for edge in box)] for label, score, box in _listed(found)
            ]
            drawn = draw(image, found) if draw else draw_detections(image.whole, found, names)
            yield Prediction(line(found, names), rows, drawn)

    predict_files(
        images,
        lambda path: letterboxed(path, run),
        predictions,
        columns=COLUMNS,
        table=table,
        overwrite=overwrite,
        replaced=drawings is None,
        drawings=drawings or run.folder / "predictions",
        chunk=1,
    )


def detections(run: FinishedRun, image: Letterboxed, least_score: float) -> Found:
    """The detections in an image of any shape, best first: "boxes" in its own pixels, "scores", "labels", and of Mask
    R-CNN "instance", its instance map of the same shape as the image in uint8."""
    boxes, scores, labels, *instance = (value[0] for value in outputs(run, image.input[None]).values())
    keep = (labels >= 0) & (scores >= least_score)
    found = {"boxes": image.box.back(boxes[keep]), "scores": scores[keep], "labels": labels[keep]}
    if instance:  # the best come first, so those kept have the first numbers
        seen = image.box.map_back(instance[0].numpy())
        found["instance"] = torch.from_numpy(np.where(seen <= int(keep.sum()), seen, 0))
    return found


def line(found: Found, names: tuple[str, ...]) -> str:
    """Of each object its class, score and box."""
    objects = [f"{names[label]} {score:.2f} {tuple(map(round, box))}" for label, score, box in _listed(found)]
    return "  ".join([f"{len(objects)} object{'s' * (len(objects) != 1)}", *objects])


def draw_detections(image: Image.Image, found: Found, names: tuple[str, ...]) -> Image.Image:
    """The image, enlarged if it is small, with masks and boxes over it."""
    tensor = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    drawn = enlarged(tensor, SIDE)
    if "instance" in found:
        labels = torch.cat([torch.zeros(1, dtype=torch.long), found["labels"] + 1])
        drawn = draw_mask(drawn, labels[found["instance"].long()], [(0, 0, 0), *map(color_of, range(len(names)))])
    draw_boxes(drawn, found["boxes"] * (drawn.width / image.width), found["labels"], names, found["scores"])
    return drawn


def _listed(found: Found) -> Iterator[tuple[int, float, list[float]]]:
    boxes = found["boxes"].tolist()
    return zip(found["labels"].tolist(), found["scores"].tolist(), boxes, strict=True)


# ------------------------------------------------------------------------------------------------- evaluate


def evaluate_detector(
    run: FinishedRun, find: Find, *, data: str | None, out: Path | None, overwrite: bool, fields: Sequence[str]
) -> int:
    """Score the run on its test images, or all images of other `data`, write the report and print COCO's metrics."""
    folder = out or run.folder / "evaluation"
    prepare(folder, ["evaluation.json", "worst.png", "report.html"], overwrite=overwrite or out is None)
    names = labels_of_run(run)
    parts = scored_parts(run, data, fields, {"boxes": names})
    figures, table = scores_of(run, find, parts, folder / "worst.png", masks="instance" in fields)
    if data is None:
        figures |= report.baselines(run.folder)
    write_json(folder / "evaluation.json", {**figures, "classes": table})
    title = f"{run.config.recipe} on {data or run.config.data}"
    headings = {"worst": "The worst images: objects, and detections"}
    report.write_report(folder, title, figures, {"By class": table} if table else {}, headings)
    print(report.text(figures, *([table] if table else [])))
    for note in unscored(parts, "box_label"):
        print(note)
    print(folder)
    return 0


def scores_of(
    run: FinishedRun, find: Find, parts: Sequence[Dataset], picture: Path, *, masks: bool
) -> tuple[dict[str, Any], list[dict]]:
    """COCO's metrics and the rows by class; the worst images are drawn into `picture`."""
    names = labels_of_run(run)
    metric = AveragePrecision(len(names), masks=masks)
    found, truths, images = [], [], []
    for batch in batches(parts):
        seen = find(batch["image"].to(run.device))
        there = truths_of(batch, masks=masks)
        metric.update(seen, there)
        found += [{name: one[name].cpu() for name in ("boxes", "scores", "labels")} for one in seen]
        truths += [{name: one[name] for name in ("boxes", "labels", "ignored")} for one in there]
        images += list(batch["image"])
    table = precision_by_class(found, truths, names)
    wrong = [mistakes(one, truth, LIKELY) for one, truth in zip(found, truths, strict=True)]
    draw_worst(picture, images, found, truths, wrong, names, LIKELY)
    return {"images": len(images), **metric.compute()}, table
