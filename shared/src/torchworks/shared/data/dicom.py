"""DICOM images, through pydicom (the extra `shared[dicom]`), as people see them: 8-bit grey or RGB.

Grey values are rescaled (modality LUT, or slope and intercept), then shown as the file says: by its VOI LUT or its
first window, else from the smallest value to the largest (DICOM PS3.3, C.11.1 and C.11.2). MONOCHROME1, where small
values are bright, is inverted. YBR and palettes become RGB. Of several frames the first is used, with what holds for
all frames: the windows of single frames (enhanced CT and MR) are not looked at.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels import (
    apply_color_lut,
    apply_modality_lut,
    apply_voi,
    apply_windowing,
    get_decoder,
    pixel_array,
)
from pydicom.uid import UID

from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import PIXEL_LIMIT

_COLORS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")  # all of them are decoded to RGB


def decode(path: Path) -> tuple[Image.Image, str, int]:
    """The first image of a file, in grey (L) or color (RGB), how it is stored, and the number of frames. Raises
    `Unreadable`, or what pydicom raises on a damaged file."""
    header = _header(path)
    mode, frames = f"DICOM {header.PhotometricInterpretation}", int(header.get("NumberOfFrames") or 1)
    return Image.fromarray(np.rint(_brightness(path, header) * 255).astype(np.uint8)), mode, frames


def _brightness(path: Path, header: Dataset) -> np.ndarray:
    """The first frame in [0, 1]: (H, W), or (H, W, 3) as RGB."""
    stored = header.PhotometricInterpretation
    if stored.startswith("MONOCHROME"):
        shown = _shown(apply_modality_lut(_pixels(path, header), header), header)
        return 1 - shown if stored == "MONOCHROME1" else shown
    if stored == "PALETTE COLOR":
        colors = apply_color_lut(_pixels(path, header), header)
        return colors / np.iinfo(colors.dtype).max
    if stored in _COLORS:
        return _pixels(path, header) / (2**header.BitsStored - 1)
    raise Unreadable(f"its colors are stored as {stored}, which is not known; save it as RGB")


def _header(path: Path) -> Dataset:
    """All that stands before the pixels, if it promises an image and not too large a one."""
    try:
        header = dcmread(path, stop_before_pixels=True)
    except InvalidDicomError as error:
        raise Unreadable("it is not a DICOM file" if path.stat().st_size else "the file is empty") from error
    if "PhotometricInterpretation" not in header or not header.get("Rows") or not header.get("Columns"):
        raise Unreadable("it holds no image, or is cut off before it")
    if header.Rows * header.Columns > PIXEL_LIMIT:
        raise Image.DecompressionBombError
    return header


def _pixels(path: Path, header: Dataset) -> np.ndarray:
    """The first frame as it is stored: (H, W), or (H, W, 3) as RGB."""
    compression = header.file_meta.TransferSyntaxUID
    if not _decodes(compression):
        raise Unreadable(
            f"nothing is installed that can decompress it ({compression.name}); save it uncompressed, or install "
            "pylibjpeg or gdcm"
        )
    try:
        return pixel_array(path, index=0)
    except RuntimeError as error:  # a line for each decoder that was tried
        raise Unreadable(f"its pixels cannot be decoded ({str(error).splitlines()[-1].strip()})") from error
    except AttributeError as error:
        raise Unreadable("it holds no pixels, or is cut off before them") from error
    except ValueError as error:
        if any(sign in str(error) for sign in ("reshape", "buffer size")):  # numpy's words for too few bytes
            raise Unreadable("it has fewer pixels than it says: the file is cut off") from error
        raise


def _decodes(compression: UID) -> bool:
    try:
        return get_decoder(compression).is_available
    except NotImplementedError:  # pydicom knows none
        return False


def _shown(values: np.ndarray, header: Dataset) -> np.ndarray:
    """Rescaled grey values as brightness in [0, 1]."""
    if luts := header.get("VOILUTSequence"):
        return apply_voi(np.rint(values).astype(np.int32), header) / (2 ** luts[0].LUTDescriptor[2] - 1)
    if None in (header.get("WindowCenter"), header.get("WindowWidth")):
        black, white = float(values.min()), float(values.max())
    else:
        black, white = apply_windowing(np.array([-np.inf, np.inf]), header)
        values = apply_windowing(values, header)
    return (values - black) / (white - black or 1.0)
