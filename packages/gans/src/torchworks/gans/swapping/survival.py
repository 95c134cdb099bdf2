"""What the invisible mark survives: swapped images are saved, compressed, resized and cropped, and read again.

For each change, `mark_found_…` is the share of images whose mark is found, and `mark_named_…` of those whose 16 bits of
payload are all right besides. `mark_false_alarms` is the share of unmarked images, real and swapped, with a mark found.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchworks.gans.swapping.marks import Marks, read_mark
from torchworks.shared.runs.outputs import picture

MOST = 50
"""Images that are looked at."""


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _resized(image: Image.Image, share: float) -> Image.Image:
    width, height = (round(share * side) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _cropped(image: Image.Image, pixels: int) -> Image.Image:
    return image.crop((pixels, pixels, image.width - pixels, image.height - pixels))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "png": lambda image: image,
    "jpeg_90": lambda image: _jpeg(image, 90),
    "jpeg_75": lambda image: _jpeg(image, 75),
    "jpeg_50": lambda image: _jpeg(image, 50),
    "three_quarters": lambda image: _resized(image, 0.75),
    "half": lambda image: _resized(image, 0.5),
    "three_quarters_jpeg_75": lambda image: _jpeg(_resized(image, 0.75), 75),
    "cropped_2": lambda image: _cropped(image, 2),
    "cropped_and_resized": lambda image: _resized(_cropped(image, 4), 1.5),
}


@torch.no_grad()
def survival(real: Tensor, swapped: Tensor, payload: int) -> dict[str, float]:
    """The scores of this module. `real` and `swapped` images (N, 3, S, S) in [0, 1] have no mark yet."""
    real, swapped = real[:MOST].cpu(), swapped[:MOST].cpu()
    marked = [picture((image * 255).round().to(torch.uint8)) for image in Marks(swapped.shape[-1], payload)(swapped)]
    scores = {}
    for name, change in CHANGES.items():
        readings = [read_mark(_pixels(change(image))) for image in marked]
        scores[f"mark_found_{name}"] = _share([reading.found for reading in readings])
        scores[f"mark_named_{name}"] = _share([reading.found and reading.payload == payload for reading in readings])
    alarms = [read_mark(image[:, cut:, cut:]).found for image in (*real, *swapped) for cut in (0, 2)]
    return scores | {"mark_false_alarms": _share(alarms)}


def _pixels(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def _share(values: list[bool]) -> float:
    return sum(values) / len(values)
