"""Masks from files: the class of each pixel, as a grey image or one with a palette.

Masks of 0 and 255 alone, as drawing programs write them, are background and foreground. Scaling and JPEG soften their
edges: then pixels from 128 on are foreground.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from torchworks.shared.data.boxes.sample import VOID
from torchworks.shared.data.files import ending
from torchworks.shared.data.images import PIXEL_LIMIT, SUFFIXES, reason

_FIRST = (".png", ".bmp", ".gif", ".tif", ".tiff")
ENDINGS = (*_FIRST, *sorted(SUFFIXES.difference(_FIRST, (".dcm", ".dicom", ".ima"))))
FORMATS = ("PNG", "BMP", "GIF", "TIFF", "JPEG", "WEBP", "JPEG2000", "PPM", "TGA")
"""What a mask is read as, whatever its name."""
MARKS = ("", "_mask", "-mask")
"""What may stand behind the name of the image."""
MIDDLE = 128
"""Value from which a pixel of a soft mask is foreground."""
_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".jp2")
_WHITE = 65535
"""What stands for 255 in masks of 16 bits a value that are of nothing and all alone."""
_NEAR = 8
"""How far values near 0 and 255 may lie from them."""
_HARD = 0.8
"""Share of such values from which a mask is one of 0 and 255."""

Meaning = Literal["ids", "binary", "soft"]


@dataclass(frozen=True)
class MaskFile:
    """What is in a mask file, or the `fault` that keeps it from being read."""

    ids: frozenset[int] = frozenset()
    size: tuple[int, int] = (0, 0)
    fault: tuple[str, str] | None = None
    hard: float = 0
    """The share of pixels with values near 0 or 255."""
    lossy: bool = False

    @property
    def is_soft(self) -> bool:
        return bool(self.ids - {0, VOID})


class NotIds(Exception):
    """Why a file is not a mask: the kind of the fault, and a few words."""


def read_mask(path: Path) -> np.ndarray:
    """The class of each pixel, (H, W); raises `NotIds`."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > PIXEL_LIMIT:
                raise NotIds("unreadable", "it has too many pixels")
            if image.mode not in ("L", "P", "1", "I", "I;16"):
                raise NotIds("color", _colors(image))
            values = np.asarray(image).astype(np.int64)
            return np.where(values == _WHITE, VOID, values) if np.isin(values, (0, _WHITE)).all() else values
    except NotIds:
        raise
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise NotIds("unreadable", reason(path, error)) from error


def _colors(image: Image.Image) -> str:
    bands = np.asarray(image.convert("RGB"))
    grey = (bands == bands[..., :1]).all()
    advice = "save one of its three equal channels" if grey else "save ids as grey values or with a palette"
    return f"it is stored as {image.mode}; {advice}"


def look(path: Path | None) -> MaskFile | None:
    """What is in a mask file; None for no file."""
    if path is None:
        return None
    try:
        values = read_mask(path)
    except NotIds as error:
        return MaskFile(fault=(error.args[0], error.args[1]))
    ids, counts = np.unique(values, return_counts=True)
    near = (abs(ids) <= _NEAR) | (abs(ids - VOID) <= _NEAR)
    size = (values.shape[1], values.shape[0])
    return MaskFile(frozenset(ids.tolist()), size, None, counts[near].sum() / values.size, ending(path) in _LOSSY)


def meaning_of(masks: Sequence[MaskFile | None], names: int) -> Meaning:
    """What the values of all masks together mean, where the data name so many classes. Masks are soft if nearly all
    pixels are near 0 or 255, and the rest lies between them on both sides of the middle, as class ids do not."""
    read = [mask for mask in masks if mask and not mask.fault]
    ids = frozenset.union(frozenset(), *(mask.ids for mask in read))
    if ids == {0, VOID}:
        return "binary"
    strays = ids - {0, VOID}
    spread = (len(strays) > 1 and max(strays) >= MIDDLE) or any(mask.lossy for mask in read)
    ends = min(ids, default=VOID) <= _NEAR and VOID - _NEAR <= max(ids, default=0) <= VOID
    hard = all(mask.hard >= _HARD for mask in read)
    return "soft" if names in (0, 2) and spread and ends and hard else "ids"


def numbered(masks: Sequence[MaskFile | None], meaning: Meaning) -> tuple[str, ...]:
    """Names for the ids that there are, if the data have none."""
    if meaning != "ids":
        return "background", "foreground"
    ids = frozenset.union(frozenset(), *(mask.ids for mask in masks if mask)) - {VOID}
    return ("background", *(str(i) for i in range(1, max(ids, default=0) + 1) if i < VOID))


def remarks(named: Sequence[tuple[str, MaskFile | None]], meaning: Meaning, names: int) -> list[str]:
    """Warnings about (name, mask) files, where the data name so many classes."""
    masks = [mask for _, mask in named if mask and not mask.fault]
    if meaning == "soft":
        soft = [name for name, mask in named if mask and mask.is_soft]
        some = ", ".join(soft[:3]) + ("…" if len(soft) > 3 else "")
        return [
            f"Masks of 0 and 255 with values between them (soft edges): {len(soft)} ({some}). Pixels from {MIDDLE} on "
            "are taken for the class foreground, all others for background."
        ]
    ids = frozenset.union(frozenset(), *(mask.ids for mask in masks)) - {VOID}
    plain = [name for name, mask in named if mask and VOID in mask.ids and mask.ids <= {0, VOID}]
    if meaning == "ids" and plain:
        some = ", ".join(plain[:3]) + ("…" if len(plain) > 3 else "")
        return [
            f"Masks of 0 and 255 alone among others with ids of classes: {len(plain)} ({some}). Their 255 is ignored, "
            "as it is wherever there are ids. If it is a class, give it its number."
        ]
    if names or meaning != "ids" or not ids or max(ids) < 2 * len(ids) + 8:
        return []
    return [
        f"Masks have {len(ids)} values up to {max(ids)}, so that most of the {max(ids) + 1} classes have no pixel. Are "
        "they ids of classes? Number those 0, 1, 2, …, or name them in classes.txt."
    ]


def classes_in(mask: MaskFile, meaning: Meaning) -> frozenset[int]:
    """The ids of the classes in a mask."""
    if meaning == "ids":
        return mask.ids - {VOID}
    return frozenset(int(value >= MIDDLE) for value in mask.ids)
