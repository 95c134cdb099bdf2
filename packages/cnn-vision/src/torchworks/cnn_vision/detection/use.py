"""The commands `predict` and `evaluate` for runs of detection.

Shape letters: N images, C channels, S pixels, D detections of an image.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from torchworks.cnn_vision.data.learnable import unscored
from torchworks.cnn_vision.detection.build import fields_of
from torchworks.cnn_vision.detection.metrics import AveragePrecision, Found, precision_by_class
from torchworks.cnn_vision.detection.mistakes import draw_worst, mistakes
from torchworks.cnn_vision.detection.predictor import DetectorPredictor
from torchworks.cnn_vision.detection.task import truths_of
from torchworks.cnn_vision.inference import report
from torchworks.cnn_vision.inference.commands import Evaluate, Predict
from torchworks.cnn_vision.inference.files import Prediction, predict_files
from torchworks.cnn_vision.inference.letterboxed import Letterboxed, batches, letterboxed, outputs, scored_parts
from torchworks.shared.data import Dataset
from torchworks.shared.data.boxes.draw import color_of, draw_boxes, draw_mask, enlarged
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare

SIDE = 320
"""Pixels to which the longer side of a small image is enlarged, about, for drawing."""
LIKELY = 0.5
"""Score from which a detection counts as an error in `worst.png`."""


# -------------------------------------------------------------------------------------------------- predict


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print the objects of each image, and draw them into it. Raises `UserError` that names the images that could not
    be read, once all others are done."""
    names = _labels(run)

    def predictions(images: list[Letterboxed]) -> Iterator[Prediction]:
        for image in images:
            found = detections(run, image, arguments.least_score)
            rows = [
                [names[label], f"{score:.6f}", *(f"{edge:.1f}" for edge in box)] for label, score, box in _listed(found)
            ]
            yield Prediction(line(found, names), rows, draw_detections(image.whole, found, names))

    predict_files(
        arguments.images,
        lambda path: letterboxed(path, run),
        predictions,
        columns=["label", "score", "x1", "y1", "x2", "y2"],
        table=arguments.csv,
        overwrite=arguments.overwrite,
        replaced=arguments.out is None,
        drawings=arguments.out or run.folder / "predictions",
        chunk=1,
    )
    return 0


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


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Score the run, write the report and print COCO's metrics."""
    folder = arguments.out or run.folder / "evaluation"
    written = ["evaluation.json", "worst.png", "report.html"]
    prepare(folder, written, overwrite=arguments.overwrite or arguments.out is None)
    names = _labels(run)
    fields = fields_of(masks="instance" in {spec.name for spec in run.predictor.signature.outputs})
    parts = scored_parts(run, arguments.data, fields, {"boxes": names})
    figures, table = scores_of(run, parts, folder)
    if arguments.data is None:
        figures |= report.baselines(run.folder)
    write_json(folder / "evaluation.json", {**figures, "classes": table})
    title = f"{run.config.recipe} on {arguments.data or run.config.data}"
    headings = {"worst": "The worst images: objects, and detections"}
    report.write_report(folder, title, figures, {"By class": table} if table else {}, headings)
    print(report.text(figures, *([table] if table else [])))
    for note in unscored(parts, "box_label"):
        print(note)
    print(folder)
    return 0


def scores_of(run: FinishedRun, parts: list[Dataset], folder: Path) -> tuple[dict[str, Any], list[dict]]:
    """COCO's metrics and the rows by class; `worst.png` goes into `folder`."""
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
