"""Drawings of the images with the most errors: objects beside detections.

Shape letters: S pixels, D detections, m objects of an image.
"""

from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.ops import box_iou

from torchworks.shared.data.boxes.draw import draw_boxes, enlarged
from torchworks.shared.data.boxes.regions import lie_within
from torchworks.shared.data.boxes.sample import IGNORED
from torchworks.shared.detection.metrics import Found, Truth
from torchworks.shared.runs.outputs import save_image

SIDE, GAP, HEAD = 288, 8, 20
MOST = 8
"""Images that are drawn."""
OVERLAP = 0.5
"""IoU from which a box is correct."""


def mistakes(found: Found, truth: Truth, least_score: float) -> tuple[int, int]:
    """(missed, false): objects that nothing of the right class and an IoU of `OVERLAP` was found for, and detections
    with at least `least_score` that are not the best one of an object or lie where nothing counts."""
    keep = found["scores"] >= least_score
    boxes, labels = found["boxes"][keep], found["labels"][keep]  # best first
    iou = box_iou(boxes, truth["boxes"]) * (labels[:, None] == truth["labels"])
    free = torch.ones(len(truth["boxes"]), dtype=torch.bool)
    false = 0
    ignored = lie_within(boxes, truth["ignored"])
    for i, row in enumerate(iou):
        overlap, best = (row * free).max(0) if len(row) else (row.new_tensor(0.0), 0)
        if overlap >= OVERLAP:
            free[best] = False
        else:
            false += not ignored[i]
    return int(free.sum()), int(false)


def draw_worst(
    path: Path,
    images: list[Tensor],
    found: list[Found],
    truths: list[Truth],
    wrong: list[tuple[int, int]],
    names: tuple[str, ...],
    least_score: float,
) -> None:
    """Pairs of drawings, the image with the most errors first; those without any are left out."""
    order = sorted((i for i in range(len(images)) if sum(wrong[i])), key=lambda i: -sum(wrong[i]))[:MOST]
    cells = [_pair(images[i], found[i], truths[i], wrong[i], names, least_score) for i in order]
    if not cells:
        cells = [Image.new("RGB", (SIDE, HEAD), "white")]
        ImageDraw.Draw(cells[0]).text((4, 3), "no mistakes", "black", ImageFont.load_default(13))
    columns = min(2, len(cells))
    width, height = cells[0].width + GAP, cells[0].height + GAP
    sheet = Image.new("RGB", (columns * width + GAP, -(-len(cells) // columns) * height + GAP), "white")
    for place, cell in enumerate(cells):
        sheet.paste(cell, (GAP + place % columns * width, GAP + place // columns * height))
    save_image(sheet, path)


def _pair(
    image: Tensor,
    found: Found,
    truth: Truth,
    wrong: tuple[int, int],
    names: tuple[str, ...],
    least_score: float,
) -> Image.Image:
    """The image with its objects, and beside it with what was found, under a line of text."""
    left, right = enlarged(image, SIDE), enlarged(image, SIDE)
    factor = left.width / image.shape[-1]
    boxes = torch.cat([truth["boxes"], truth["ignored"]])
    labels = torch.cat([truth["labels"], truth["labels"].new_full((len(truth["ignored"]),), IGNORED)])
    draw_boxes(left, boxes * factor, labels, names)
    keep = found["scores"] >= least_score
    draw_boxes(right, found["boxes"][keep] * factor, found["labels"][keep], names, found["scores"][keep])
    sheet = Image.new("RGB", (2 * left.width + GAP // 2, left.height + HEAD), "white")
    text = f"there are {len(truth['labels'])}; missed {wrong[0]}, false {wrong[1]}"
    ImageDraw.Draw(sheet).text((2, 2), text, "black", ImageFont.load_default(13))
    sheet.paste(left, (0, HEAD))
    sheet.paste(right, (left.width + GAP // 2, HEAD))
    return sheet
