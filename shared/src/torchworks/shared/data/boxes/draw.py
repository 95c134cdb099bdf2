"""Drawings of boxes, masks and depth: enlarged, labelled, legible."""

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from torchworks.shared.data import Dataset, Schema
from torchworks.shared.data.boxes.sample import IGNORED, NOTHING, VOID
from torchworks.shared.data.report import save_sheet

Color = tuple[int, int, int]
_SIDE, _LINE, _GAP = 320, 15, 6
_GREY = (150, 150, 150)


def color_of(number: int) -> Color:
    """A bright color for a class, unlike those of its neighbors."""
    hue = number * 0.618034 % 1.0  # golden ratio: every new hue falls into the widest gap
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, (1.0, 0.8)[number % 2])
    return round(255 * red), round(255 * green), round(255 * blue)


def enlarged(image: Tensor, side: int) -> Image.Image:
    """uint8 (C, H, W) in color, its longer side at least `side` pixels, enlarged by a whole factor without smoothing
    (what has more pixels stays)."""
    height, width = image.shape[-2:]
    factor = max(1, round(side / max(height, width)))
    whole = Image.fromarray(image.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy())
    return whole.resize((width * factor, height * factor), Image.Resampling.NEAREST)


def draw_boxes(
    image: Image.Image,
    boxes: Tensor,
    labels: Sequence[int] | Tensor,
    classes: Sequence[str],
    scores: Sequence[float] | Tensor | None = None,
) -> None:
    """Draw boxes (n, 4), in pixels of `image`, with the names of their classes, and `scores` in [0, 1] if given.
    `NOTHING` is left out, `IGNORED` is grey."""
    draw = ImageDraw.Draw(image)
    tags: list[_Rectangle] = []
    rows = sorted(range(len(labels)), key=lambda i: -float((boxes[i, 2:] - boxes[i, :2]).prod()))  # small ones on top
    for i in rows:
        label = int(labels[i])
        if label != NOTHING:
            x1, y1, x2, y2 = boxes[i].tolist()
            color = _GREY if label == IGNORED else color_of(label)
            draw.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=color, width=2)
    for i in rows:
        if (label := int(labels[i])) >= 0:
            text = classes[label] if scores is None else f"{classes[label]} {float(scores[i]):.2f}"
            tags.append(_tag(draw, text, boxes[i].tolist(), color_of(label), tags, image.size))


_Rectangle = tuple[float, float, float, float]


def _tag(
    draw: ImageDraw.ImageDraw,
    text: str,
    box: Sequence[float],
    color: Color,
    others: Sequence[_Rectangle],
    size: tuple[int, int],
) -> _Rectangle:
    """A name on its color: above, below or in its box, where there is room and no other name; returns its place."""
    font = ImageFont.load_default(12)
    width = draw.textlength(text, font) + 4
    lefts = [max(0.0, min(left, size[0] - width)) for left in (box[0], box[2] - width)]
    tops = [top for top in (box[1] - _LINE, box[3], box[1], box[3] - _LINE) if 0 <= top <= size[1] - _LINE]
    places = [(left, top, left + width, top + _LINE) for top in tops or [0.0] for left in lefts]
    place = next((one for one in places if not any(_overlap(one, other) for other in others)), places[0])
    draw.rectangle(place, fill=color)
    bright = sum(weight * value for weight, value in zip((0.299, 0.587, 0.114), color, strict=True)) > 130
    draw.text((place[0] + 2, place[1] + _LINE / 2), text, "black" if bright else "white", font, anchor="lm")
    return place


def _overlap(one: _Rectangle, other: _Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def draw_mask(image: Image.Image, mask: Tensor, colors: Sequence[Color], alpha: float = 0.4) -> Image.Image:
    """`image` with the classes of `mask` (H, W) over it in their `colors`: 0 is left as it is, what does not count
    becomes grey."""
    ids = np.asarray(Image.fromarray(mask.to(torch.uint8).numpy()).resize(image.size, Image.Resampling.NEAREST))
    table = np.full((VOID + 1, 3), _GREY, np.float32)
    table[: len(colors)] = colors
    pixels = np.asarray(image, np.float32)
    share = np.where(ids == 0, 0.0, alpha)[..., None]
    return Image.fromarray((pixels + share * (table[ids] - pixels)).round().astype(np.uint8))


def pixel_colors(schema: Schema) -> list[Color]:
    """A color for each class of the schema's `mask`; classes of things have the color of their boxes."""
    things = schema["boxes"].classes if "boxes" in schema else ()
    names = schema["mask"].classes
    numbers = [things.index(name) if name in things else len(things) + g for g, name in enumerate(names)]
    return [color_of(number) for number in numbers]


def draw_depth(depth: Tensor, size: tuple[int, int], nearest: float | None = None) -> Image.Image:
    """Metres (H, W) as colors, near is bright and what is not known is black; `nearest`, in metres, is the brightest
    (by default the nearest that there is)."""
    metres = depth.float().numpy()
    known = metres > 0
    near = nearest or float(metres[known].min(initial=np.inf))
    share = np.where(known, near / np.where(known, metres, 1), 0).clip(0, 1) ** 0.5  # by closeness, as eyes see it
    colors = (colormaps["turbo"](share)[..., :3] * 255).round().astype(np.uint8)
    colors[~known] = 0
    return Image.fromarray(colors).resize(size, Image.Resampling.NEAREST)


def draw_sample(sample: dict[str, Tensor], schema: Schema, side: int = _SIDE) -> Image.Image:
    """A sample with its mask and boxes over it, and its depth beside it, about `side` pixels high."""
    drawn = enlarged(sample["image"], side)
    factor = drawn.height / sample["image"].shape[-2]
    if "mask" in schema:
        drawn = draw_mask(drawn, sample["mask"], pixel_colors(schema))
    if "boxes" in schema:
        draw_boxes(drawn, sample["boxes"] * factor, sample["box_label"], schema["boxes"].classes)
    if "depth" not in schema:
        return drawn
    both = Image.new("RGB", (2 * drawn.width, drawn.height))
    both.paste(drawn, (0, 0))
    both.paste(draw_depth(sample["depth"], drawn.size), (drawn.width, 0))
    return both


def draw_nine(dataset: Dataset, path: Path) -> None:
    """Nine samples spread over the data set, 3 × 3, and below them the colors of the classes of pixels. Raises
    `UserError` if the file cannot be written."""
    rows = torch.linspace(0, len(dataset) - 1, min(9, len(dataset))).long().tolist()
    cells = [draw_sample(dataset[row], dataset.schema) for row in rows]
    width, height = cells[0].width + _GAP, cells[0].height + _GAP
    legend = _legend(dataset.schema, 3 * width)
    sheet = Image.new("RGB", (3 * width, -(-len(cells) // 3) * height + legend.height), "white")
    for place, cell in enumerate(cells):
        sheet.paste(cell, (place % 3 * width + _GAP // 2, place // 3 * height + _GAP // 2))
    sheet.paste(legend, (0, sheet.height - legend.height))
    save_sheet(sheet, path)


def _legend(schema: Schema, width: int) -> Image.Image:
    """The names of the classes of pixels on their colors, in as many lines as they need."""
    if "mask" not in schema:
        return Image.new("RGB", (width, 1), "white")
    named = list(zip(schema["mask"].classes, pixel_colors(schema), strict=True))[1:]
    font = ImageFont.load_default(12)
    sheet = Image.new("RGB", (width, (len(named) + 1) * (_LINE + 3)), "white")
    draw = ImageDraw.Draw(sheet)
    left, top = 4.0, 2.0
    for name, color in (*named, ("does not count", _GREY)):
        extent = draw.textlength(name, font) + 26
        if left + extent > width and left > 4:
            left, top = 4.0, top + _LINE + 3
        draw.rectangle((left, top + 2, left + 12, top + 12), color)
        draw.text((left + 17, top + 7), name, "black", font, anchor="lm")
        left += extent
    return sheet.crop((0, 0, width, round(top + _LINE + 3)))
