"""Drawings of masks over images, with legends.

Shape letters: H × W pixels, C channels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from torchworks.shared.data.boxes.draw import Color, draw_mask, enlarged

_LINE, _GAP = 20, 4


def compared(rows: Sequence[Sequence[Tensor]], colors: Sequence[Color], side: int = 192) -> Tensor:
    """A sheet, uint8 (3, H', W'), with a line for each image uint8 (C, H, W), followed by masks (H, W): the image as
    it is, then with each mask over it."""
    lines = []
    for image, *masks in rows:
        plain = enlarged(image, side)
        lines.append([plain, *(draw_mask(plain, mask, colors, 0.6) for mask in masks)])
    width, height = (max(cell.size[axis] for line in lines for cell in line) + _GAP for axis in (0, 1))
    sheet = Image.new("RGB", (len(lines[0]) * width - _GAP, len(lines) * height - _GAP), "white")
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            sheet.paste(cell, (column * width, row * height))
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1)


def with_legend(image: Image.Image, entries: Sequence[tuple[str, Color]], title: str = "") -> Image.Image:
    """`image` above a line, or as many as it takes, of names beside their colors, after a title."""
    font = ImageFont.load_default(13)
    places, left, top = [], 6.0, 0
    for text, color in [(title, None)] * bool(title) + list(entries):
        extent = font.getlength(text) + (12 if color is None else 30)
        if left + extent > image.width and left > 6:
            left, top = 6.0, top + _LINE
        places.append((left, top, text, color))
        left += extent
    sheet = Image.new("RGB", (image.width, image.height + top + _LINE), "white")
    sheet.paste(image, (0, 0))
    draw = ImageDraw.Draw(sheet)
    for left, top, text, color in places:
        y = image.height + top
        if color is not None:
            draw.rectangle((left, y + 4, left + 12, y + 16), color)
        draw.text((left if color is None else left + 17, y + _LINE / 2), text, "black", font, anchor="lm")
    return sheet
