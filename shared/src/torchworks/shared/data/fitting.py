"""Images as models see them: 8-bit grey or RGB, upright, square or of another shape. Imports no torch: a service
decodes with it too.

However a file stores its image, it becomes 8-bit grey or RGB: turned upright by its EXIF orientation, laid
on white where it is transparent, 16 bits scaled to 8, the first of several frames. To fit the size it is
cropped at its middle (`square`, or `cropped` to another shape), or scaled as a whole and padded to a square
(`Letterbox`), and resampled by an antialiased bicubic filter.
"""

from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageOps

GREY = 114
"""What an image that is not square is padded with."""
LYING = (5, 6, 7, 8)
"""EXIF orientations of images whose width and height change places."""


class Unreadable(Exception):
    """Why a file cannot be used, in a few words."""


def square(image: Image.Image, channels: int, size: int) -> np.ndarray:
    """An image just opened, as uint8 (channels, size, size); raises as `cropped` does."""
    return cropped(image, channels, size, size)


def cropped(image: Image.Image, channels: int, height: int, width: int) -> np.ndarray:
    """The middle of an image just opened, as uint8 (channels, height, width); raises `Unreadable`, or what Pillow
    raises on a damaged one. A JPEG may be decoded smaller, with no side below twice the larger size."""
    twice = 2 * max(height, width)
    image.draft(None, (twice, twice))
    image = upright(image).convert("L" if channels == 1 else "RGB")
    values = np.array(ImageOps.fit(image, (width, height), method=Image.Resampling.BICUBIC))
    return values[None] if channels == 1 else np.ascontiguousarray(values.transpose(2, 0, 1))


def whole(image: Image.Image, channels: int) -> np.ndarray:
    """An image just opened as it is, upright, as uint8 (channels, height, width); raises as `cropped` does."""
    values = np.array(upright(image).convert("L" if channels == 1 else "RGB"))
    return values[None] if channels == 1 else np.ascontiguousarray(values.transpose(2, 0, 1))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an image just opened once it is upright; no pixel is decoded."""
    width, height = image.size
    return (height, width) if image.getexif().get(ExifTags.Base.Orientation) in LYING else (width, height)


def letterboxed(image: Image.Image, channels: int, size: int) -> tuple[np.ndarray, "Letterbox"]:
    """An image just opened, scaled as a whole and padded, as uint8 (channels, size, size), and the letterbox, which is
    that of the upright image; raises as `square` does."""
    width, height = upright_size(image)  # before the decoder makes it smaller
    image.draft(None, (2 * size, 2 * size))
    box = Letterbox(width, height, size)
    values = np.array(box.picture(upright(image).convert("L" if channels == 1 else "RGB")))
    return (values[None] if channels == 1 else np.ascontiguousarray(values.transpose(2, 0, 1))), box


@dataclass(frozen=True)
class Letterbox:
    """An image of `width` × `height` scaled to fit a square of `size` and padded at its right and bottom, never
    squeezed. Whole pixels make the two scales differ by less than a pixel over a side."""

    width: int
    height: int
    size: int

    @property
    def inside(self) -> tuple[int, int]:
        """Width and height of the scaled image within the square."""
        scale = self.size / max(self.width, self.height)
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))

    @property
    def scales(self) -> tuple[float, float]:
        """Pixels of the square per pixel of the image, along x and y."""
        return self.inside[0] / self.width, self.inside[1] / self.height

    def picture(self, image: Image.Image) -> Image.Image:
        """An image in grey or color, resampled by an antialiased bicubic filter."""
        square = Image.new(image.mode, (self.size, self.size), GREY if image.mode == "L" else (GREY,) * 3)
        square.paste(image.resize(self.inside, Image.Resampling.BICUBIC), (0, 0))
        return square

    def ids(self, values: np.ndarray, fill: int) -> np.ndarray:
        """A map (H, W) of class ids, of numbers of objects or of depths, taken at the nearest pixel; `fill` outside."""
        (width, height), (across, down) = self.inside, self.scales
        rows = ((np.arange(height) + 0.5) / down).astype(int).clip(max=self.height - 1)
        columns = ((np.arange(width) + 0.5) / across).astype(int).clip(max=self.width - 1)
        square = np.full((self.size, self.size), fill, values.dtype)
        square[:height, :width] = values[rows[:, None], columns]
        return square

    def boxes_back(self, boxes: np.ndarray) -> np.ndarray:
        """float32 boxes (…, 4) of the square as boxes of the image, cut at its edges."""
        limit = np.array((self.width, self.height) * 2, np.float32)
        return np.minimum((boxes / np.array(self.scales * 2, np.float32)).clip(min=0), limit)

    def map_back(self, values: np.ndarray) -> np.ndarray:
        """A map (size, size) of the square as one of the image (height, width), taken at the nearest pixel."""
        width, height = self.inside
        inside = Image.fromarray(np.ascontiguousarray(values[:height, :width]))
        return np.asarray(inside.resize((self.width, self.height), Image.Resampling.NEAREST))


def upright(image: Image.Image) -> Image.Image:
    """In grey (L) or color (RGB), turned as its EXIF orientation says."""
    return _plain(ImageOps.exif_transpose(image))


def _plain(image: Image.Image) -> Image.Image:
    """8-bit grey (L) or color (RGB) from whatever mode."""
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
