"""Pictures as models see them: 8-bit grey or RGB, upright, square. Imports no torch: a service decodes with it too.

However a file stores its picture, it becomes 8-bit grey or RGB: turned upright by its EXIF orientation, laid
on white where it is transparent, 16 bits scaled to 8, the first of several frames. To fit the (square) size it is
cropped at its middle and resampled by an antialiased bicubic filter.
"""

import numpy as np
from PIL import Image, ImageOps


class Unreadable(Exception):
    """Why a file cannot be used, in a few words."""


def square(image: Image.Image, channels: int, size: int) -> np.ndarray:
    """A picture just opened, as uint8 (channels, size, size); raises `Unreadable`, or what Pillow raises on a damaged
    one. A JPEG may be decoded smaller, with no side below twice the size."""
    image.draft(None, (2 * size, 2 * size))
    image = upright(image).convert("L" if channels == 1 else "RGB")
    values = np.array(ImageOps.fit(image, (size, size), method=Image.Resampling.BICUBIC))
    return values[None] if channels == 1 else np.ascontiguousarray(values.transpose(2, 0, 1))


def upright(image: Image.Image) -> Image.Image:
    """In grey (L) or colour (RGB), turned as its EXIF orientation says."""
    return _plain(ImageOps.exif_transpose(image))


def _plain(image: Image.Image) -> Image.Image:
    """8-bit grey (L) or colour (RGB) from whatever mode."""
    if image.mode == "F":
        raise Unreadable("its pixels are 32-bit floats without an agreed range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _from_16_bits(np.asarray(image))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
        above = image.convert("RGBA")
        grey = image.mode in ("L", "LA", "1")
        below = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(below, above).convert("L" if grey else "RGB")
    return image.convert("L" if image.mode in ("L", "1") else "RGB")


def _from_16_bits(values: np.ndarray) -> Image.Image:
    if values.min() < 0 or values.max() > 65535:
        raise Unreadable("its pixels go beyond 16 bits; save it with 8 or 16 bits")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))
