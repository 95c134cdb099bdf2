"""Rows drawn: the picture, what the row says, what is answered and what is true.

Shape letters: C channels, S pixels along a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from torchworks.shared.runs.outputs import picture

CELL, GAP, LINE, FONT = 132, 12, 16, 12
COLUMNS = 4
GREY, RIGHT, WRONG = (110, 110, 110), (20, 120, 40), (190, 30, 30)
CLOSE = 0.1
"""An answer that is wrong by less than this share counts as right in the drawing."""


@dataclass(frozen=True)
class Answer:
    """A row and what was answered."""

    image: Tensor
    """uint8 (C, S, S), black where there is none."""
    said: tuple[str, ...]
    """What the row says, a line each."""
    answer: float
    low: float
    high: float
    truth: float | None = None


def draw_rows(answers: Sequence[Answer]) -> Image.Image:
    """Four to a line: pictures with their rows below them, the answer and its interval, green or red if the truth is
    known."""
    lines = max(len(answer.said) for answer in answers) + 2 + any(answer.truth is not None for answer in answers)
    width, height = CELL + 3 * GAP, CELL + lines * LINE + 2 * GAP
    columns = min(COLUMNS, len(answers))
    sheet = Image.new("RGB", (columns * width + GAP, -(-len(answers) // columns) * height + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT)
    for place, answer in enumerate(answers):
        left, top = place % columns * width + GAP, place // columns * height + GAP
        _picture(sheet, draw, font, answer, left, top)
        for line, (text, color) in enumerate(_texts(answer)):
            draw.text((left, top + CELL + 4 + line * LINE), text, color, font)
    return sheet


def _picture(sheet: Image.Image, draw: ImageDraw.ImageDraw, font, answer: Answer, left: int, top: int) -> None:
    if answer.image.any():
        large = picture(answer.image).convert("RGB").resize((CELL, CELL), Image.Resampling.NEAREST)
        sheet.paste(large, (left, top))
        return
    draw.rectangle((left, top, left + CELL - 1, top + CELL - 1), outline=GREY)
    draw.text((left + CELL // 2, top + CELL // 2), "no picture", GREY, font, anchor="mm")


def _texts(answer: Answer) -> list[tuple[str, tuple[int, int, int]]]:
    texts = [(text, GREY) for text in answer.said]
    known = answer.truth is not None
    right = not known or abs(answer.answer - (answer.truth or 0)) <= CLOSE * abs(answer.truth or 0)
    texts.append((f"answer {number(answer.answer)}", RIGHT if known and right else WRONG if known else (0, 0, 0)))
    texts.append((f"{number(answer.low)} to {number(answer.high)}", GREY))
    return texts + [(f"truth {number(answer.truth)}", GREY)] * known if answer.truth is not None else texts


def number(value: float) -> str:
    """Four digits, or two places."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}" if abs(value) < 100 else f"{value:.1f}"
