"""Masks from files: the class of each pixel, as a grey image or one with a palette.

Masks of 0 and 255 alone, as drawing programs write them, are background and foreground, if no more classes have names.
Scaling and JPEG soften their edges: then pixels from 128 on are foreground.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
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
_SHOWN = 4
_HARD = 0.8
"""Share of such values from which a mask is one of 0 and 255."""

Meaning = Literal["ids", "binary", "soft", "unclear"]
"""What values are: ids of classes; 0 and 255; these with soft edges; 0 and 255 of more than two classes."""
Color = tuple[int, int, int]


@dataclass(frozen=True)
class MaskFile:
    """What is in a mask file, or the `fault` that keeps it from being read."""

    ids: frozenset[int] = frozenset()
    size: tuple[int, int] = (0, 0)
    fault: tuple[str, str] | None = None
    hard: float = 0
    """The share of pixels with values near 0 or 255."""
    lossy: bool = False
    palette: dict[int, Color | None] = field(default_factory=dict)
    """Of a mask with a palette, the color of each id; None for one that the palette lacks."""

    @property
    def is_soft(self) -> bool:
        return bool(self.ids - {0, VOID})


class NotIds(Exception):
    """Why a file is not a mask: the kind of the fault, and a few words."""


def read_mask(path: Path) -> np.ndarray:
    """The class of each pixel, (H, W); raises `NotIds`."""
    return _read(path)[0]


def _read(path: Path) -> tuple[np.ndarray, list[Color]]:
    """The same, and the colors of its palette, if it has one."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > PIXEL_LIMIT:
                raise NotIds("unreadable", "it has too many pixels")
            if image.mode not in ("L", "P", "1", "I", "I;16"):
                raise NotIds("color", _colors(image))
            values = np.asarray(image).astype(np.int64)
            palette = np.array(image.getpalette("RGB") or []).reshape(-1, 3) if image.mode == "P" else np.empty((0, 3))
            black_and_white = np.isin(values, (0, _WHITE)).all()
            ids = np.where(values == _WHITE, VOID, values) if black_and_white else values
            return ids, [(int(r), int(g), int(b)) for r, g, b in palette]
    except NotIds:
        raise
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise NotIds("unreadable", reason(path, error)) from error


def _colors(image: Image.Image) -> str:
    bands = np.asarray(image.convert("RGB"))
    if (bands == bands[..., :1]).all():
        return f"it is stored as {image.mode}; save one of its three equal channels"
    colors = np.unique(bands.astype(np.int64) @ (1 << 16, 1 << 8, 1)).tolist()
    named = ", ".join(str((color >> 16, color >> 8 & 255, color & 255)) for color in colors[:_SHOWN])
    named += "…" * (len(colors) > _SHOWN)
    text = f"it is stored as {image.mode} with {len(colors)} colors ({named}), which do not say what class they are"
    return f"{text}; save ids as grey values or with a palette"


def look(path: Path | None) -> MaskFile | None:
    """What is in a mask file; None for no file."""
    if path is None:
        return None
    try:
        values, palette = _read(path)
    except NotIds as error:
        return MaskFile(fault=(error.args[0], error.args[1]))
    ids, counts = np.unique(values, return_counts=True)
    near = (abs(ids) <= _NEAR) | (abs(ids - VOID) <= _NEAR)
    size = (values.shape[1], values.shape[0])
    colors = {i: palette[i] if i < len(palette) else None for i in ids.tolist()} if palette else {}
    lossy = ending(path) in _LOSSY
    return MaskFile(frozenset(ids.tolist()), size, None, counts[near].sum() / values.size, lossy, colors)


def meaning_of(masks: Sequence[MaskFile | None], names: int) -> Meaning:
    """What the values of all masks together mean, where the data name so many classes. Masks are soft if nearly all
    pixels are near 0 or 255, and the rest lies between them on both sides of the middle, as class ids do not."""
    read = [mask for mask in masks if mask and not mask.fault]
    ids = frozenset.union(frozenset(), *(mask.ids for mask in read))
    if ids == {0, VOID}:
        return "binary" if names <= 2 else "unclear"
    strays = ids - {0, VOID}
    spread = (len(strays) > 1 and max(strays) >= MIDDLE) or any(mask.lossy for mask in read)
    ends = min(ids, default=VOID) <= _NEAR and VOID - _NEAR <= max(ids, default=0) <= VOID
    hard = all(mask.hard >= _HARD for mask in read)
    return "soft" if names in (0, 2) and spread and ends and hard else "ids"


def numbered(masks: Sequence[MaskFile | None], meaning: Meaning) -> tuple[str, ...]:
    """Names for the ids that there are, if the data have none."""
    if meaning in ("binary", "soft"):
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


def unlike_palettes(named: Sequence[tuple[str, MaskFile | None]]) -> list[str]:
    """A warning about (name, mask) files whose palettes give one id different colors, as tools do that number the
    colors of each file anew."""
    first: dict[int, tuple[str, Color]] = {}
    for name, mask in named:
        for i, color in (mask.palette if mask else {}).items():
            if color and i not in (0, VOID) and first.setdefault(i, (name, color))[1] != color:
                before, other = first[i]
                text = f"Masks whose palettes have different colors for one id: {i} is {other} in {before}, but {color}"
                return [
                    f"{text} in {name}. Ids are used, colors are not; if colors are the classes, give each one id in "
                    "all masks."
                ]
    return []


def unknown_ids(mask: MaskFile, unknown: Sequence[int], names: int) -> str:
    """What to say of ids in a mask that none of so many names belongs to."""
    lacks = {i for i in unknown if mask.palette.get(i, 0) is None}
    told = [f"{i}{' (not in its palette)' if i in lacks else _color_of(mask, i)}" for i in unknown[:8]]
    known = f"there are 0…{names - 1}, and {VOID} for what does not count"
    if len(unknown) > 1 and mask.hard >= _HARD and VOID - _NEAR <= max(mask.ids) <= VOID:
        known += "; it is black and white with soft edges, which are no ids: save ids without smoothing"
    return f"{', '.join(told)}; {known}"


def _color_of(mask: MaskFile, i: int) -> str:
    color = mask.palette.get(i)
    return "" if color is None or len(set(color)) == 1 else f" (color {color})"


def classes_in(mask: MaskFile, meaning: Meaning) -> frozenset[int]:
    """The ids of the classes in a mask."""
    if meaning in ("ids", "unclear"):
        return mask.ids - {VOID}
    return frozenset(int(value >= MIDDLE) for value in mask.ids)
