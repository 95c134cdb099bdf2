"""Films as strips of frames: of a data set, and of what a model says of them.

Shape letters: T frames, C channels, S pixels along a frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from torchworks.shared.data.report import save_sheet
from torchworks.shared.data.schema import Dataset

FRAME, GAP, FONT = 72, 3, 15
"""Pixels along a frame of a strip, between frames, and of the letters beside them."""
MOST = 12
"""Frames of a strip; of longer films, evenly spread ones."""
BLACK, RIGHT, WRONG = (20, 20, 20), (20, 120, 40), (190, 30, 30)


@dataclass(frozen=True)
class Strip:
    """A film, uint8 (T, C, S, S), and lines of text with their colors beside it."""

    film: Tensor
    lines: Sequence[tuple[str, tuple[int, int, int]]]


def draw_strips(strips: Sequence[Strip]) -> Image.Image:
    """A row for each film: its text, then its frames from left to right."""
    font = ImageFont.load_default(FONT)
    frames = min(MOST, max(len(strip.film) for strip in strips))
    beside = max((font.getlength(text) for strip in strips for text, _ in strip.lines), default=0)
    left = int(beside) + 4 * GAP
    height = max(FRAME, (FONT + 4) * max(len(strip.lines) for strip in strips)) + GAP
    sheet = Image.new("RGB", (left + frames * (FRAME + GAP), len(strips) * height + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for row, strip in enumerate(strips):
        top = row * height + GAP
        for number, (text, color) in enumerate(strip.lines):
            draw.text((2 * GAP, top + 4 + number * (FONT + 4)), text, color, font)
        shown = np.linspace(0, len(strip.film) - 1, min(frames, len(strip.film))).round().astype(int)
        for column, frame in enumerate(strip.film[shown.tolist()]):
            pixels = np.ascontiguousarray(frame.expand(3, -1, -1).permute(1, 2, 0).numpy())
            cell = Image.fromarray(pixels).resize((FRAME, FRAME), Image.Resampling.NEAREST)
            sheet.paste(cell, (left + column * (FRAME + GAP), top))
    return sheet


def draw_films(dataset: Dataset, path: Path) -> None:
    """Twelve films spread over the data set with their classes, as an image of a report."""
    rows = _spread(dataset)
    strips = []
    for row in rows:
        sample = dataset[row]
        name = dataset.schema["label"].classes[int(sample["label"])] if "label" in sample else ""
        strips.append(Strip(sample["clip"], [(name, BLACK)]))
    save_sheet(draw_strips(strips), path)


def _spread(dataset: Dataset) -> list[int]:
    """Rows of twelve samples, of different classes first."""
    labels = getattr(dataset, "labels", None)
    if labels is None:
        return np.linspace(0, len(dataset) - 1, min(12, len(dataset))).astype(int).tolist()
    _, first = np.unique(np.asarray(labels), return_index=True)
    return first[:12].tolist()
