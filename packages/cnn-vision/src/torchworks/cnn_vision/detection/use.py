"""Detectors at work: the commands `predict` and `evaluate` for their runs.

Shape letters: N images, C channels, S pixels, D detections of an image.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from torchworks.cnn_vision.classification.evaluate import baselines
from torchworks.cnn_vision.commands import Evaluate, Predict
from torchworks.cnn_vision.data.draw import colour_of, draw_boxes, draw_mask, enlarged
from torchworks.cnn_vision.detection.build import fields_of
from torchworks.cnn_vision.detection.metrics import AveragePrecision, Found, precision_by_class
from torchworks.cnn_vision.detection.mistakes import draw_worst, mistakes
from torchworks.cnn_vision.detection.predictor import DetectorPredictor
from torchworks.cnn_vision.detection.task import truths_of
from torchworks.cnn_vision.inference import report
from torchworks.cnn_vision.inference.letterboxed import (
    Fitted,
    answers,
    batches,
    fitted,
    output_files,
    print_rows,
    refuse_unreadable,
    scored_parts,
    write_table,
)
from torchworks.shared.data import Dataset
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import find_images
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import make_folder, progress

SIDE = 320
"""Pixels that the longer side of a small picture is about enlarged to for drawing."""
LIKELY = 0.5
"""Score from which a detection counts as a mistake of `worst.png`."""


# -------------------------------------------------------------------------------------------------- predict


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print a line for each image, and draw what was found into it. Raises `UserError` that names the images that could
    not be read, once all others are done."""
    files, bad = find_images(arguments.images)
    out = arguments.out or run.folder / "predictions"
    places = output_files(files, out)
    names = _labels(run)
    lines: dict[Path, str] = {}
    rows: list[list[Any]] = []
    for path in progress(files, "looking", len(files)):
        try:
            image = fitted(path, run)
        except Unreadable as error:
            bad[path] = str(error)
            continue
        found = look_at(run, image, arguments.least_score)
        lines[path] = line(found, names)
        draw_found(image.whole, found, names).save(places[path])
        rows += [
            [path, names[label], f"{score:.6f}", *(f"{edge:.1f}" for edge in box)]
            for label, score, box in _listed(found)
        ]
    print_rows(lines)
    if arguments.csv is not None:
        write_table(arguments.csv, ["path", "label", "score", "x1", "y1", "x2", "y2"], rows)
    print(out)
    refuse_unreadable(bad)
    return 0


def look_at(run: FinishedRun, image: Fitted, least_score: float) -> Found:
    """What is found in a picture of any shape, best first: "boxes" in its own pixels, "scores", "labels", and of Mask
    R-CNN "instance", its instance map of the same shape as the picture in uint8."""
    boxes, scores, labels, *instance = (value[0] for value in answers(run, image.input[None]).values())
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


def draw_found(image: Image.Image, found: Found, names: tuple[str, ...]) -> Image.Image:
    """The picture, enlarged if it is small, with masks and boxes over it."""
    tensor = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    drawn = enlarged(tensor, SIDE)
    if "instance" in found:
        labels = torch.cat([torch.zeros(1, dtype=torch.long), found["labels"] + 1])
        drawn = draw_mask(drawn, labels[found["instance"].long()], [(0, 0, 0), *map(colour_of, range(len(names)))])
    draw_boxes(drawn, found["boxes"] * (drawn.width / image.width), found["labels"], names, found["scores"])
    return drawn


def _listed(found: Found) -> Iterator[tuple[int, float, list[float]]]:
    boxes = found["boxes"].tolist()
    return zip(found["labels"].tolist(), found["scores"].tolist(), boxes, strict=True)


# ------------------------------------------------------------------------------------------------- evaluate


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Score the run, write the report and print COCO's table."""
    folder = arguments.out or run.folder / "evaluation"
    make_folder(folder)
    names = _labels(run)
    fields = fields_of(masks="instance" in {spec.name for spec in run.predictor.signature.outputs})
    parts = scored_parts(run, arguments.data, fields, {"boxes": names})
    figures, table = scores_of(run, parts, folder)
    if arguments.data is None:
        figures |= baselines(run.folder)
    write_json(folder / "evaluation.json", {**figures, "classes": table})
    title = f"{run.config.recipe} on {arguments.data or run.config.data}"
    headings = {"worst": "The worst images: what there is, and what was found"}
    report.write_report(folder, title, figures, {"By class": table} if table else {}, headings)
    print(report.text(figures, *([table] if table else [])))
    print(folder)
    return 0


def scores_of(run: FinishedRun, parts: list[Dataset], folder: Path) -> tuple[dict[str, Any], list[dict]]:
    """COCO's figures and the rows by class; `worst.png` goes into `folder`."""
    predictor = run.predictor
    assert isinstance(predictor, DetectorPredictor)
    names = _labels(run)
    metric = AveragePrecision(len(names), masks=predictor.masks)
    found, truths, images = [], [], []
    for batch in batches(parts):
        seen = predictor.found(batch["image"].to(run.device))
        there = truths_of(batch, masks=metric.masks)
        metric.update(seen, there)
        found += [{name: one[name].cpu() for name in ("boxes", "scores", "labels")} for one in seen]
        truths += [{name: one[name] for name in ("boxes", "labels", "ignored")} for one in there]
        images += list(batch["image"])
    table = precision_by_class(found, truths, names)
    wrong = [mistakes(one, truth, LIKELY) for one, truth in zip(found, truths, strict=True)]
    draw_worst(folder / "worst.png", images, found, truths, wrong, names, LIKELY)
    return {"images": len(images), **metric.compute()}, table


def _labels(run: FinishedRun) -> tuple[str, ...]:
    return run.predictor.signature.outputs[2].labels
