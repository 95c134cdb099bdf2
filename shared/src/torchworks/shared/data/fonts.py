"""Printed digits, rendered from the fonts that ship with matplotlib.

White strokes on black, 64 × 64 pixels, framed like the handwritten digits of scikit-learn: as high as the box,
centred, with the width the figure has. Font, size, place, slant, turn, width and weight vary.
"""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmss10", "cmtt10", "cmb10", "cmti10"),
)
PER_CLASS = 200
SIZE = 64
_EM, _CANVAS = 120, 160


def printed_digits() -> tuple[np.ndarray, np.ndarray]:
    """All 2,000 images, uint8 (2000, 1, 64, 64), and their labels, int64 (2000,). Always the same."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    fonts = [ImageFont.truetype(str(folder / f"{name}.ttf"), _EM) for name in FONTS]
    chance = np.random.default_rng(20)
    images, labels = [], []
    for number in range(10 * PER_CLASS):
        digit = number % 10
        images.append(_render(str(digit), fonts[number // 10 % len(fonts)], chance))
        labels.append(digit)
    return np.stack(images)[:, None], np.array(labels, np.int64)


def _render(digit: str, font: ImageFont.FreeTypeFont, chance: np.random.Generator) -> np.ndarray:
    """One digit, uint8 (64, 64): drawn large, slanted and turned, cut out and brought to its frame."""
    large = Image.new("L", (_CANVAS, _CANVAS))
    draw = ImageDraw.Draw(large)
    centre = _CANVAS / 2
    weight = chance.uniform(0, 5)
    draw.text((centre, centre), digit, fill=255, font=font, anchor="mm", stroke_width=weight)
    slant, turn = chance.uniform(-0.2, 0.25), np.radians(chance.uniform(-7, 7))
    # rows of the inverse map, from the result's pixel to the source's, about the centre
    a, b = np.cos(turn), np.sin(turn) + slant
    d, e = -np.sin(turn), np.cos(turn)
    shift = (centre - a * centre - b * centre, centre - d * centre - e * centre)
    matrix = (a, b, shift[0], d, e, shift[1])
    large = large.transform(large.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    glyph = large.crop(large.getbbox())
    return _frame(glyph, chance)


def _frame(glyph: Image.Image, chance: np.random.Generator) -> np.ndarray:
    """`glyph` scaled to 90–100 % of the box's height, a little wider or narrower, near the middle."""
    scale = SIZE * chance.uniform(0.9, 1.0) / glyph.height
    width = min(SIZE, round(glyph.width * scale * chance.uniform(0.85, 1.2)))
    glyph = glyph.resize((max(width, 1), round(glyph.height * scale)), Image.Resampling.LANCZOS)
    box = Image.new("L", (SIZE, SIZE))
    left = (SIZE - glyph.width) / 2 + chance.uniform(-3, 3)
    top = (SIZE - glyph.height) * chance.uniform(0, 1)
    left = min(max(round(left), 0), SIZE - glyph.width)
    box.paste(glyph, (left, round(top)))
    return np.asarray(box)
