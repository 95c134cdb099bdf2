"""Images with a caption each: the field of captions, and grids of images above their captions.

A sample is {"image": uint8 (3, S, S), "caption": uint8 (L,)}, the caption in UTF-8. A model has a vocabulary of its
own, which follows from its training captions and is saved with it.

Shape letters: N images, S pixels along a side, L bytes of a caption.
"""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from torchworks.shared.data import Dataset, Field, Part, Schema, resident
from torchworks.shared.data.report import save_sheet

CELL = 160
"""Least pixels along an image of a grid."""
FONT, LINE = 13, 17
"""Height of the letters below an image, and of a line of them."""


def caption_schema(channels: int, image_size: int, longest: int) -> Schema:
    """Images and captions of at most `longest` bytes."""
    image = Field("image", "image", (channels, image_size, image_size))
    return Schema((image, Field("caption", "text", (longest,), ragged=True)))


def captions_in(dataset: Dataset) -> list[str]:
    """The caption of every sample; without making its image, where the data set has `captions`."""
    if isinstance(dataset, Part):
        every = captions_in(dataset.dataset)
        return [every[i] for i in dataset.indices]
    held = getattr(dataset, "captions", None)
    if held is not None:
        return list(held)
    whole = resident(dataset)
    return [bytes(whole[i]["caption"].tolist()).decode() for i in range(len(whole))]


def captioned_grid(images: np.ndarray, captions: Sequence[str], columns: int) -> Image.Image:
    """Images, uint8 (N, C, S, S), enlarged without smoothing, each above its caption."""
    size = images.shape[-1]
    side = size * max(1, -(-CELL // size))
    font = ImageFont.load_default(FONT)
    lines = [textwrap.wrap(caption, max(1, int(side / (FONT * 0.52)))) for caption in captions]
    height = side + LINE * max(map(len, lines), default=0) + 10
    sheet = Image.new("RGB", (columns * (side + 8), -(-len(images) // columns) * height), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (image, words) in enumerate(zip(images, lines, strict=True)):
        left, top = place % columns * (side + 8) + 4, place // columns * height + 4
        pixels = np.ascontiguousarray(np.broadcast_to(image, (3, size, size)).transpose(1, 2, 0))
        sheet.paste(Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST), (left, top))
        for number, line in enumerate(words):
            at = (left + side // 2, top + side + 2 + LINE * number)
            draw.text(at, line, "black", font, anchor="ma")
    return sheet


def draw_captioned(dataset: Dataset, path: Path) -> None:
    """Nine samples spread over the data set with their captions, as an image of a report."""
    rows = np.linspace(0, len(dataset) - 1, min(9, len(dataset))).astype(int).tolist()
    samples = [dataset[row] for row in rows]
    captions = [bytes(sample["caption"].tolist()).decode() for sample in samples]
    save_sheet(captioned_grid(np.stack([sample["image"].numpy() for sample in samples]), captions, 3), path)
