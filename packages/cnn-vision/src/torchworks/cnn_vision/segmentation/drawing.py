"""Pictures of masks for people.

Shape letters: H × W pixels, C channels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from torchworks.cnn_vision.data.draw import Colour, draw_mask, enlarged

_LINE, _GAP = 20, 4


def compared(rows: Sequence[Sequence[Tensor]], colours: Sequence[Colour], side: int = 192) -> Tensor:
    """A picture, uint8 (3, H', W'), with a line for each image uint8 (C, H, W), followed by masks (H, W): the image as
    it is, then with each mask over it."""
    lines = []
    for image, *masks in rows:
        plain = enlarged(image, side)
        lines.append([plain, *(draw_mask(plain, mask, colours, 0.6) for mask in masks)])
    width, height = (max(cell.size[axis] for line in lines for cell in line) + _GAP for axis in (0, 1))
    sheet = Image.new("RGB", (len(lines[0]) * width - _GAP, len(lines) * height - _GAP), "white")
    for row, line in enumerate(lines):
        for column, cell in enumerate(line):
            sheet.paste(cell, (column * width, row * height))
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1)


def with_legend(picture: Image.Image, entries: Sequence[tuple[str, Colour]], title: str = "") -> Image.Image:
    """`picture` above a line, or as many as it takes, of names beside their colours, after a title."""
    font = ImageFont.load_default(13)
    places, left, top = [], 6.0, 0
    for text, colour in [(title, None)] * bool(title) + list(entries):
        extent = font.getlength(text) + (12 if colour is None else 30)
        if left + extent > picture.width and left > 6:
            left, top = 6.0, top + _LINE
        places.append((left, top, text, colour))
        left += extent
    sheet = Image.new("RGB", (picture.width, picture.height + top + _LINE), "white")
    sheet.paste(picture, (0, 0))
    draw = ImageDraw.Draw(sheet)
    for left, top, text, colour in places:
        y = picture.height + top
        if colour is not None:
            draw.rectangle((left, y + 4, left + 12, y + 16), colour)
        draw.text((left if colour is None else left + 17, y + _LINE / 2), text, "black", font, anchor="lm")
    return sheet
