"""The fields of a sample with boxes and masks, and the letterbox that makes an image of any shape square.

| field | tensor | meaning |
|---|---|---|
| `image` | uint8 (C, S, S) | |
| `boxes` | float32 (M, 4) | x1, y1, x2, y2 in pixels of the square; rows beyond the objects are 0 |
| `box_label` | int64 (M,) | class 0…K−1; `NOTHING` where there is no object, `IGNORED` where one does not count |
| `instance` | uint8 (S, S) | i + 1 where object i is seen, else 0 |
| `mask` | uint8 (S, S) | class of each pixel 0…G−1, or `VOID` where it does not count |
| `depth` | float32 (S, S) | metres, 0 where unknown |

Shape letters: S pixels along a side, M objects at most, K classes of things, G classes of pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.data import Field, Schema
from torchworks.shared.data import fitting as pictures

NOTHING, IGNORED = -1, -2
VOID = 255
GREY = pictures.GREY
"""Padding of images that are not square."""
INSTANCES = 254
"""Most objects of an instance map."""


def scene_schema(
    size: int,
    *,
    channels: int = 3,
    most: int = 0,
    things: Sequence[str] = (),
    instance: bool = False,
    pixels: Sequence[str] = (),
    depth: bool = False,
) -> Schema:
    """The fields of samples with at most `most` objects of the classes `things`, and pixels of the classes `pixels`."""
    fields = [Field("image", "image", (channels, size, size))]
    if things:
        fields += [
            Field("boxes", "boxes", (most, 4), tuple(things)),
            Field("box_label", "label", (most,), tuple(things), dtype="int64"),
        ]
    if instance:
        fields.append(Field("instance", "mask", (size, size)))
    if pixels:
        fields.append(Field("mask", "mask", (size, size), tuple(pixels)))
    if depth:
        fields.append(Field("depth", "depth", (size, size)))
    return Schema(tuple(fields))


def padded(boxes: np.ndarray | Tensor, labels: Sequence[int] | Tensor, most: int) -> dict[str, Tensor]:
    """The fields `boxes` and `box_label` from n ≤ `most` boxes (n, 4) and their labels."""
    count = len(labels)
    all_boxes, all_labels = torch.zeros(most, 4), torch.full((most,), NOTHING)
    if count:
        all_boxes[:count] = torch.as_tensor(boxes, dtype=torch.float32)
        all_labels[:count] = torch.as_tensor(labels)
    return {"boxes": all_boxes, "box_label": all_labels}


def boxes_around(instance: np.ndarray, count: int) -> np.ndarray:
    """The tightest boxes around objects 1…`count` of an instance map (H, W): float32 (count, 4), 0 for unseen ones."""
    boxes = np.zeros((count, 4), np.float32)
    for i in range(count):
        seen = instance == i + 1
        columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
        if len(columns):
            boxes[i] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


class Letterbox(pictures.Letterbox):
    """The letterbox of an image, for boxes that are tensors too."""

    def boxes(self, boxes: Tensor) -> Tensor:
        """Boxes (…, 4) of the image, whole numbers or not, as float32 boxes of the square."""
        boxes = boxes.float()
        return boxes * boxes.new_tensor(self.scales * 2)

    def back(self, boxes: Tensor) -> Tensor:
        """Boxes (…, 4) of the square as boxes of the image, cut at its edges."""
        limit = boxes.new_tensor((self.width, self.height) * 2)
        return (boxes / boxes.new_tensor(self.scales * 2)).clamp(min=0).minimum(limit)
