"""DICOM images, through pydicom (the extra `shared[dicom]`), as people see them: 8-bit grey or RGB.

Grey values are rescaled (modality LUT, or slope and intercept), then shown as the file says: by its VOI LUT or its
first window, else from the smallest value to the largest (DICOM PS3.3, C.11.1 and C.11.2). MONOCHROME1, where small
values are bright, is inverted. YBR and palettes become RGB. Of several frames the first is used, with what holds for
all frames: the windows of single frames (enhanced CT and MR) are not looked at.

Tags that are empty or cannot hold count as not given: a slope of 0 as 1, a window without a width as none. Bits above
those that are stored, where old files keep overlays, are cleared. Files may lack the preamble of 128 bytes.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.pixels import (
    apply_color_lut,
    apply_modality_lut,
    apply_voi,
    apply_windowing,
    get_decoder,
    pixel_array,
)
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

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
    header = _read(path, stop_before_pixels=True)
    if "PhotometricInterpretation" not in header or not header.get("Rows") or not header.get("Columns"):
        raise Unreadable("it holds no image, or is cut off before it")
    if header.Rows * header.Columns > PIXEL_LIMIT:
        raise Image.DecompressionBombError
    return _sound(header)


def _read(path: Path, *, stop_before_pixels: bool = False) -> Dataset:
    """The elements of a file, without a preamble too if it begins as such files do; then its transfer syntax is the
    one that it can be parsed by."""
    try:
        return dcmread(path, stop_before_pixels=stop_before_pixels)
    except InvalidDicomError as error:
        if not path.stat().st_size:
            raise Unreadable("the file is empty") from error
        try:
            bare = dcmread(path, stop_before_pixels=stop_before_pixels, force=True)
        except Exception:  # whatever parsing comes upon in a file of another kind
            raise Unreadable("it is not a DICOM file") from error
        if "SOPClassUID" not in bare and "Rows" not in bare:
            raise Unreadable("it is not a DICOM file") from error
        if "TransferSyntaxUID" not in bare.file_meta:
            implicit, little = bare.original_encoding
            plain = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
            bare.file_meta.TransferSyntaxUID = plain if little else ExplicitVRBigEndian
        return bare


def _sound(header: Dataset) -> Dataset:
    """Without rescaling and window tags that are empty or that no values can be shown by."""
    if not _number(header.get("RescaleSlope")):  # none, empty, or 0, which makes all values alike
        header.RescaleSlope = 1
    if _number(header.get("RescaleIntercept")) is None:
        header.RescaleIntercept = 0
    width, least = _number(header.get("WindowWidth")), 1 if _is_linear(header) else 0
    if width is None or _number(header.get("WindowCenter")) is None or width < least or width == 0:
        for name in ("WindowCenter", "WindowWidth"):
            if name in header:
                delattr(header, name)
    for name in ("ModalityLUTSequence", "VOILUTSequence"):
        if name in header and not header[name].value:
            delattr(header, name)
    return header


def _is_linear(header: Dataset) -> bool:
    return (header.get("VOILUTFunction") or "LINEAR").upper() == "LINEAR"


def _number(value: object) -> float | None:
    """The number in an element, the first of several; None if it has none."""
    try:
        first = value[0] if isinstance(value, MultiValue) else value
        number = float(first)  # ty: ignore[invalid-argument-type]
    except (TypeError, ValueError, IndexError):
        return None
    return number if np.isfinite(number) else None


def _pixels(path: Path, header: Dataset) -> np.ndarray:
    """The first frame as it is stored: (H, W), or (H, W, 3) as RGB."""
    compression = header.file_meta.TransferSyntaxUID
    if not _decodes(compression):
        raise Unreadable(
            f"nothing is installed that can decompress it ({compression.name}); save it uncompressed, or install "
            "pylibjpeg or gdcm"
        )
    try:
        whole = path if header.preamble else _read(path)  # the elements alone, where there is no preamble to begin by
        return _cleared(pixel_array(whole, index=0), header)
    except RuntimeError as error:  # a line for each decoder that was tried
        raise Unreadable(f"its pixels cannot be decoded ({str(error).splitlines()[-1].strip()})") from error
    except AttributeError as error:
        raise Unreadable("it holds no pixels, or is cut off before them") from error
    except ValueError as error:
        if any(sign in str(error) for sign in ("reshape", "buffer size")):  # numpy's words for too few bytes
            raise Unreadable("it has fewer pixels than it says: the file is cut off") from error
        raise


def _cleared(values: np.ndarray, header: Dataset) -> np.ndarray:
    """Without what lies in the bits above those that are stored."""
    allocated, stored = header.BitsAllocated, header.BitsStored
    spare = values.dtype.itemsize * 8 - stored
    if allocated <= stored or spare <= 0 or header.get("HighBit") != stored - 1:
        return values
    return (values << spare) >> spare  # of signed values it repeats the sign


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
