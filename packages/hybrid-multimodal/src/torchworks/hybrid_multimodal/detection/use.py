"""The commands of runs of DETR: `detect`, and what `evaluate` does with them.

Shape letters: N images, C channels, S pixels along a side, Q queries, h × w cells of the map, D objects found.
"""

from pathlib import Path
from typing import cast

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.detection.build import FIELDS
from torchworks.hybrid_multimodal.detection.commands import Detect
from torchworks.hybrid_multimodal.detection.predictor import BUILDER, DETRPredictor
from torchworks.hybrid_multimodal.inference.commands import Evaluate
from torchworks.hybrid_multimodal.models.detr import DETR
from torchworks.shared.config import UserError
from torchworks.shared.data.boxes.draw import draw_boxes, enlarged
from torchworks.shared.detection.metrics import Found
from torchworks.shared.detection.use import detect_files, draw_detections, evaluate_detector, labels_of_run
from torchworks.shared.inference.letterboxed import Letterboxed
from torchworks.shared.models.manifest import read_manifest
from torchworks.shared.runs.opening import FinishedRun, open_run

SIDE = 256
"""Pixels along a map that is drawn, about."""
MOST = 5
"""Objects whose queries are drawn, the best ones."""
GAP = 6


def open_detector(folder: Path, device: str) -> FinishedRun:
    """Raises `UserError` unless `folder` is a run of this job."""
    run = open_run(folder, "hybrid-multimodal", device)
    if read_manifest(folder).builder != BUILDER:
        raise UserError(
            f"{folder} is a run of {run.config.recipe}, which does not detect objects. Give a run of the recipe detr."
        )
    return run


def detect(arguments: Detect) -> int:
    """Print the objects of each image, and draw them."""
    if not 0 < arguments.least_score < 1:
        raise UserError(f"--least-score is {arguments.least_score}; it must be above 0 and below 1.")
    run = open_detector(arguments.run, arguments.device)
    detect_files(
        run,
        arguments.images,
        least_score=arguments.least_score,
        table=arguments.csv,
        drawings=arguments.out,
        overwrite=arguments.overwrite,
        draw=lambda image, found: drawn(run, image, found),
    )
    return 0


def evaluate(arguments: Evaluate) -> int:
    """Score the run on the test part of its data by COCO's metrics, beside a constant prediction, and draw the worst
    images."""
    run = open_detector(arguments.run, "auto")
    predictor = cast(DETRPredictor, run.predictor)
    return evaluate_detector(
        run, predictor.found, data=None, out=arguments.out, overwrite=arguments.overwrite, fields=FIELDS
    )


# ----------------------------------------------------------------------------------------------------- drawings


def drawn(run: FinishedRun, image: Letterboxed, found: Found) -> Image.Image:
    """The image with its boxes, and beside it, for each of the best objects, where its query looked."""
    names = labels_of_run(run)
    cells = [draw_detections(image.whole, found, names)]
    wheres = looks(run, image.input, len(found["scores"][:MOST]))
    box = image.box.boxes(found["boxes"])
    for i, where in enumerate(wheres):
        heat = F.interpolate(where[None, None], (image.input.shape[-1],) * 2, mode="bilinear", align_corners=False)[0]
        lit = image.input.expand(3, -1, -1) * (0.15 + 0.85 * heat / heat.amax().clamp(min=1e-6))
        cell = enlarged(image.cut(lit.round().to(torch.uint8)), SIDE)
        scale = cell.width / image.box.inside[0]
        draw_boxes(cell, box[i : i + 1] * scale, found["labels"][i : i + 1], names)
        cells.append(cell)
    return beside(cells)


@torch.no_grad()
def looks(run: FinishedRun, image: Tensor, count: int) -> Tensor:
    """Where the queries of the `count` best objects of an image, uint8 (C, S, S), looked: (count, h, w)."""
    predictor = cast(DETRPredictor, run.predictor)
    net, pixels = cast(DETR, predictor.net), predictor.normalized(image[None].to(run.device))
    order = best_queries(net(pixels).logits[-1, 0])[:count]
    return net.look(pixels)[0, order].float().cpu()


def best_queries(logits: Tensor) -> Tensor:
    """The queries (Q, K + 1) in the order of the predictor's answers: those that say "no object" last."""
    probability = logits.float().softmax(-1)
    score = probability[:, :-1].amax(1)
    return (score * (score >= probability[:, -1])).sort(descending=True, stable=True).indices


def beside(cells: list[Image.Image]) -> Image.Image:
    """Images side by side, at the top."""
    width = sum(cell.width + GAP for cell in cells) - GAP
    sheet = Image.new("RGB", (width, max(cell.height for cell in cells)), "white")
    left = 0
    for cell in cells:
        sheet.paste(cell, (left, 0))
        left += cell.width + GAP
    return sheet
