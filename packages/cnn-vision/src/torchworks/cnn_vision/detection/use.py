"""Detectors at work: the commands `predict` and `evaluate` for their runs.

Shape letters: N images, C channels, S pixels, D detections of an image.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchworks.cnn_vision import report
from torchworks.cnn_vision.commands import Evaluate, Predict
from torchworks.cnn_vision.detection.experiment import BATCH, Fields, classes_of
from torchworks.cnn_vision.detection.metrics import AveragePrecision, Found, precision_by_class
from torchworks.cnn_vision.detection.predictor import DetectorPredictor
from torchworks.cnn_vision.detection.task import truths_of
from torchworks.cnn_vision.detection.worst import draw_worst, mistakes
from torchworks.cnn_vision.scenes.draw import colour_of, draw_boxes, draw_mask, enlarged
from torchworks.cnn_vision.scenes.sample import Letterbox
from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, open_source
from torchworks.shared.data.images import find_images, picture
from torchworks.shared.data.listing import some
from torchworks.shared.finished import FinishedRun
from torchworks.shared.outputs import make_folder, progress
from torchworks.shared.pictures import Unreadable
from torchworks.shared.run import write_json

SIDE = 320
"""Pixels that the longer side of a small picture is about enlarged to for drawing."""
LIKELY = 0.5
"""Score from which a detection counts as a mistake of `worst.png`."""
WHOLE = 1 << 30
"""No side of a picture is longer: none is decoded smaller than it is."""
_BASELINE = "_constant_guess"


# -------------------------------------------------------------------------------------------------- predict


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print a line for each image, and draw what was found into it. Raises `UserError` that names the images that could
    not be read, once all others are done."""
    files, bad = find_images(arguments.images)
    out = arguments.out or run.folder / "predictions"
    make_folder(out)
    names = _labels(run)
    rows: list[list[Any]] = []
    width = max((len(str(path)) for path in files), default=0)
    for path, name in progress(files.items(), "looking", len(files)):
        try:
            image = picture(path, WHOLE)
        except Unreadable as error:
            bad[path] = str(error)
            continue
        found = look_at(run, image, arguments.least_score)
        print(f"{path!s:<{width}}  {line(found, names)}")
        drawing = out / f"{name}.png"
        drawing.parent.mkdir(parents=True, exist_ok=True)
        draw_found(image, found, names).save(drawing)
        rows += [[path, names[label], f"{score:.6f}", *box] for label, score, box in _listed(found)]
    if arguments.csv is not None:
        _write(arguments.csv, rows)
    print(out)
    if bad:
        named = some([f"{path} ({why})" for path, why in bad.items()], 20)
        raise UserError(f"{len(bad)} of the images could not be used and were left out: {named}.")
    return 0


@torch.no_grad()
def look_at(run: FinishedRun, image: Image.Image, least_score: float) -> Found:
    """What is found in a picture of any shape, best first: "boxes" in its own pixels, "scores", "labels", and of Mask
    R-CNN "instance", its instance map of the same shape as the picture in uint8."""
    channels, size = (int(n) for n in run.predictor.signature.inputs[0].shape[1:3])
    fit = Letterbox(*image.size, size)
    pixels = np.array(fit.picture(image.convert("L" if channels == 1 else "RGB")))  # (S, S) or (S, S, 3)
    tensor = torch.from_numpy(pixels).view(size, size, channels).permute(2, 0, 1)
    boxes, scores, labels, *instance = (x[0].cpu() for x in run.predictor(tensor[None].to(run.device)))
    keep = (labels >= 0) & (scores >= least_score)
    found = {"boxes": fit.back(boxes[keep]), "scores": scores[keep], "labels": labels[keep]}
    if instance:  # the best come first, so those kept have the first numbers
        width, height = fit.inside
        seen = instance[0][:height, :width]
        seen = torch.where(seen <= int(keep.sum()), seen, 0)
        found["instance"] = torch.from_numpy(np.array(Image.fromarray(seen.numpy()).resize(image.size, 0)))
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


def _write(path: Path, rows: list[list[Any]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "score", "x1", "y1", "x2", "y2"])
        table.writerows([*row[:3], *(f"{edge:.1f}" for edge in row[3:])] for row in rows)


# ------------------------------------------------------------------------------------------------- evaluate


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Score the run, write the report and print COCO's table."""
    folder = arguments.out or run.folder / "evaluation"
    make_folder(folder)
    names = _labels(run)
    parts = _parts(run, arguments.data, names)
    figures, table = scores_of(run, parts, folder)
    if arguments.data is None:
        figures |= _baselines(run.folder)
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
    names, masks = _labels(run), predictor.masks
    metric = AveragePrecision(len(names), masks=masks and "instance" in parts[0].schema)
    found, truths, images = [], [], []
    for batch in _batches(parts):
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


def _batches(parts: list[Dataset]) -> Iterator[dict[str, Tensor]]:
    for part in parts:
        for start in range(0, len(part), BATCH):
            samples = [part[i] for i in range(start, min(start + BATCH, len(part)))]
            yield {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}


def _parts(run: FinishedRun, data: str | None, names: tuple[str, ...]) -> list[Dataset]:
    """The run's test images, or all images of another source whose classes must have the same names."""
    source = open_source(data or run.config.data, run.config.loader, run.config.seed)
    classes = classes_of(source, masks=False)
    if classes != names:
        raise UserError(
            f"The classes of {source.name} are not those that the run was trained on: they are {some(classes, 20)}; "
            f"the run's are {some(names, 20)}. Name them alike, and in the same order."
        )
    return [Fields(part) for part in ([source.test] if data is None else [source.train, source.test])]


def _labels(run: FinishedRun) -> tuple[str, ...]:
    return run.predictor.signature.outputs[2].labels


def _baselines(folder: Path) -> dict[str, float]:
    result = json.loads((folder / "result.json").read_text())
    return {name: value for name, value in result.items() if name.endswith(_BASELINE)}
