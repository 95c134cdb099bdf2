"""Depth maps from files.

a.png       16 bits, 256 for each metre, 0 where it is not known: as KITTI stores what its laser measured
a.npy       floating-point metres (H, W); not known where not finite or not positive
"""

from pathlib import Path

import numpy as np
from PIL import Image

from torchworks.shared.data.files import ending
from torchworks.shared.data.images import PIXEL_LIMIT, reason

ENDINGS = (".png", ".npy")
STEPS = 256.0
"""Of a PNG's values in a metre."""


class NotDepth(Exception):
    """Why a file holds no depth, in a few words."""


def read_depth(path: Path) -> np.ndarray:
    """Metres, float32 (H, W), 0 where not known; raises `NotDepth`."""
    try:
        return _from_array(path) if ending(path) == ".npy" else _from_png(path)
    except NotDepth:
        raise
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise NotDepth(reason(path, error)) from error


def _from_png(path: Path) -> np.ndarray:
    with Image.open(path, formats=("PNG",)) as image:
        if image.width * image.height > PIXEL_LIMIT:
            raise NotDepth("it has too many pixels")
        if image.mode not in ("I;16", "I;16B", "I"):
            raise NotDepth(f"it is stored as {image.mode}, but should have 16 bits in grey, 256 for each metre")
        return np.asarray(image).astype(np.float32) / STEPS


def _from_array(path: Path) -> np.ndarray:
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind != "f":
        found = f"{values.dtype} of the shape {values.shape}" if isinstance(values, np.ndarray) else "several arrays"
        raise NotDepth(f"it holds {found}, but should hold floating-point metres, (height, width)")
    if values.size > PIXEL_LIMIT:
        raise NotDepth("it has too many pixels")
    metres = np.array(values, np.float32)
    return np.where(np.isfinite(metres) & (metres > 0), metres, np.float32(0))
