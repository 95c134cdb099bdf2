"""A real scene with measured depth: the motorcycle of the Middlebury 2014 stereo benchmark, through scikit-image.

Scharstein, Hirschmüller, Kitajima, Krathwohl, Nešić, Wang, Westling, "High-resolution stereo datasets with
subpixel-accurate ground truth", GCPR 2014. One pair of images is a check of a depth estimate, not a training set.

Depth from disparity d, with focal length f, baseline b and the distance x of the cameras' principal points:
Z = f·b / (d + x).
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchworks.cnn_vision.data.bundled import bundled
from torchworks.shared.data.boxes.sample import Letterbox

FOCAL, BASELINE, OFFSET = 994.978, 0.193001, 31.086
"""Pixels, metres, pixels: the calibration of the down-sampled pair."""


@dataclass(frozen=True)
class StereoPair:
    """Two rectified images, uint8 (3, H, W) each; of the left one, the disparity in pixels and the depth in metres,
    float32 (H, W) each, 0 where they are not known."""

    left: Tensor
    right: Tensor
    disparity: Tensor
    depth: Tensor

    def sample(self, size: int) -> dict[str, Tensor]:
        """`image` and `depth` of the left image, fitted to a square of `size`."""
        box = Letterbox(self.left.shape[2], self.left.shape[1], size)
        image = box.picture(Image.fromarray(self.left.permute(1, 2, 0).contiguous().numpy()))
        return {"image": _tensor(image), "depth": torch.from_numpy(box.ids(self.depth.numpy(), 0))}


def motorcycle() -> StereoPair:
    """The pair, 741 × 500 pixels."""
    with np.load(bundled("motorcycle_disp.npz"), allow_pickle=False) as file:
        disparity = torch.from_numpy(np.asarray(file["arr_0"], np.float32))
    known = disparity.isfinite()
    depth = torch.where(known, FOCAL * BASELINE / (disparity + OFFSET), 0)
    left, right = (_read(f"motorcycle_{side}.png") for side in ("left", "right"))
    return StereoPair(left, right, torch.where(known, disparity, 0), depth)


def _read(name: str) -> Tensor:
    with Image.open(bundled(name)) as file:
        return _tensor(file.convert("RGB"))


def _tensor(image: Image.Image) -> Tensor:
    """uint8 (3, H, W)."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
