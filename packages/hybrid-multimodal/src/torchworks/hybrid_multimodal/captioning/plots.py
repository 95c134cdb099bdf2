"""Images of captions: where each word was read, and what a model says of images, right or wrong.

Shape letters: C channels, S pixels along an image, W words.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from torchworks.hybrid_multimodal.captioning.decoding import Written

CELL, LINE, GAP = 96, 20, 6
FONT = 13
DIMMED = 0.25
"""Brightness of what was not looked at."""
RIGHT, WRONG = (20, 120, 40), (190, 30, 30)


def draw_maps(images: Sequence[Tensor], captions: Sequence[Written], titles: Sequence[str]) -> Image.Image:
    """A row for each image, uint8 (C, S, S): the image, then for each word of its caption the same image, bright where
    the model looked."""
    columns = 1 + max(len(caption.words) for caption in captions)
    height = CELL + LINE + GAP
    sheet = Image.new("RGB", (columns * (CELL + GAP) + GAP, len(images) * height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT)
    for row, (image, caption, title) in enumerate(zip(images, captions, titles, strict=True)):
        pixels, top = _pixels(image), row * height + GAP
        cells = [(pixels, title), *zip(_lit(pixels, caption.maps), caption.words, strict=True)]
        for column, (cell, text) in enumerate(cells):
            left = column * (CELL + GAP) + GAP
            sheet.paste(Image.fromarray(cell).resize((CELL, CELL), Image.Resampling.NEAREST), (left, top))
            draw.text((left + CELL // 2, top + CELL + 2), _shortened(text), "black", font, anchor="ma")
    return sheet


def _shortened(text: str, most: int = 13) -> str:
    return text if len(text) <= most else f"…{text[1 - most :]}"


def _pixels(image: Tensor) -> np.ndarray:
    """uint8 (S, S, 3)."""
    return np.ascontiguousarray(np.broadcast_to(image.cpu().numpy(), (3, *image.shape[1:])).transpose(1, 2, 0))


def _lit(pixels: np.ndarray, maps: Tensor) -> list[np.ndarray]:
    """`pixels` (S, S, 3) for each of the maps (W, P), dimmed where the map is smaller than its largest value."""
    side, size = round(maps.shape[1] ** 0.5), pixels.shape[0]
    lit = []
    for values in maps.numpy():
        share = Image.fromarray((values / values.max()).reshape(side, side).astype(np.float32))
        light = np.asarray(share.resize((size, size), Image.Resampling.BILINEAR))[..., None]
        lit.append((pixels * (DIMMED + (1 - DIMMED) * light)).round().astype(np.uint8))
    return lit


def draw_answers(images: Tensor, found: Sequence[str], right: Sequence[str], columns: int) -> Image.Image:
    """Images uint8 (N, C, S, S) above their captions: green if these are right, else red with the right one below."""
    side, height = 2 * CELL, 2 * CELL + 4 * LINE
    sheet = Image.new("RGB", (columns * (side + GAP), -(-len(images) // columns) * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT)
    for place, (image, text, true) in enumerate(zip(images, found, right, strict=True)):
        left, top = place % columns * (side + GAP), place // columns * height
        sheet.paste(Image.fromarray(_pixels(image)).resize((side, side), Image.Resampling.NEAREST), (left, top))
        lines = [(line, RIGHT if text == true else WRONG) for line in _wrapped(text)]
        lines += [(line, (90, 90, 90)) for line in _wrapped(f"not {true}")[:2]] if text != true else []
        for number, (line, color) in enumerate(lines[:4]):
            draw.text((left + 2, top + side + 1 + 17 * number), line, color, font)
    return sheet


def _wrapped(text: str, most: int = 30) -> list[str]:
    """Lines of at most about `most` signs."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
