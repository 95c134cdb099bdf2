"""The bundled source `cells`: patches of one histology photograph, with masks by a stated rule.

What it is: the photograph of colonic glands in scikit-image (`ihc.png`, 512 × 512 pixels), in which haematoxylin
colors nuclei blue and DAB colors the protein FHL2 brown, and a mask made from it:

    1. color deconvolution (Ruifrok & Johnston 2001, `skimage.color.rgb2hed`) into the amounts of both stains
    2. each blurred by a Gaussian of 1.5 pixels
    3. a threshold for each by Otsu's method, from the training side alone
    4. `stained` where DAB is above its threshold, `nucleus` where haematoxylin is above its own and DAB is not
    5. pieces and holes of fewer than 30 pixels taken out, so that colors of single pixels do not decide

What it is not: no pathologist drew these outlines; they come from the rule, with its errors, and a net
trained on them learns the rule. Scores measure that on another part of the same section, and nothing about tissue of
other patients, stains or scanners. It is an example for your own images: `masks:PATH` reads PNG and DICOM with masks
drawn by people.

The rule of the split: training patches lie in the left seven tenths of the photograph, test patches in the rest, so no
pixel is in both. Patches of a part overlap each other.
"""

from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from torchworks.cnn_vision.data.bundled import photo, side
from torchworks.cnn_vision.data.generated import Generated
from torchworks.shared.config import ImageConfig, LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.boxes.sample import scene_schema
from torchworks.shared.data.split import fingerprint

PIXELS = ("background", "nucleus", "stained")
NUCLEUS, STAINED = 1, 2
BLUR = 1.5
"""Pixels."""
LEAST = 30
"""Pixels of a piece or hole that stays."""
TRAIN, TEST = 400, 60
"""Patches of each part."""


def open_cells(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, with color patches of as many pixels of the photograph as `image_size` says; `seed` chooses their
    places. Raises `UserError` if they do not fit, or something follows the name."""
    config = ImageConfig.of(config, "cells")
    if rest:
        raise UserError(f"The data source 'cells' takes nothing after a colon; 'cells:{rest}' was given.")
    if config.channels == 1:
        raise UserError("The data source 'cells' is in color; leave --loader.channels out.")
    size, most = config.image_size, side(_photograph(), "test").shape[1]
    if size > most:
        raise UserError(f"Patches of 'cells' have at most {most} pixels along a side; --loader.image-size is {size}.")
    schema = scene_schema(size, pixels=PIXELS)
    train, test = (
        Generated(partial(draw_patch, size), schema, part=part, count=count, seed=seed)
        for part, count in (("train", TRAIN), ("test", TEST))
    )
    licence = "no known restrictions (by the Center for Microscopy And Molecular Imaging, through scikit-image)"
    return Source("cells", licence, train, test, schema, fingerprint([seed, size, BLUR, LEAST]))


def draw_patch(size: int, part: str, rng: np.random.Generator) -> dict[str, Tensor]:
    """One sample: a patch from a random place of its side of the photograph."""
    image, mask = side(_photograph(), part), side(stain_mask(), part)
    top, left = (int(rng.integers(extent - size + 1)) for extent in mask.shape)
    cut = np.s_[top : top + size, left : left + size]
    pixels = torch.from_numpy(np.ascontiguousarray(image[cut])).permute(2, 0, 1).contiguous()
    return {"image": pixels, "mask": torch.from_numpy(np.ascontiguousarray(mask[cut]))}


def _photograph() -> np.ndarray:
    """uint8 (512, 512, 3)."""
    return photo("ihc.png")


@cache
def stain_mask() -> np.ndarray:
    """The class of each pixel of the photograph by the rule above, uint8 (512, 512)."""
    from scipy.ndimage import gaussian_filter
    from skimage.color import rgb2hed

    stains = rgb2hed(_photograph())
    haematoxylin, dab = (gaussian_filter(stains[..., i], BLUR) for i in (0, 2))
    stained = _smooth(_above_otsu(dab))
    nucleus = _smooth(_above_otsu(haematoxylin) & ~stained)
    mask = np.zeros(stained.shape, np.uint8)
    mask[nucleus], mask[stained] = NUCLEUS, STAINED
    return mask


def _above_otsu(values: np.ndarray) -> np.ndarray:
    """Where a map (H, W) is above the threshold of its training side."""
    from skimage.filters import threshold_otsu

    return values > threshold_otsu(side(values, "train"))


def _smooth(mask: np.ndarray) -> np.ndarray:
    """Without small pieces and holes."""
    from skimage.measure import label

    for value in (True, False):
        pieces = label(mask == value, connectivity=1)
        small = np.bincount(pieces.ravel()) < LEAST
        small[0] = False
        mask = np.where(small[pieces], not value, mask)
    return mask
