"""Sensors that fail, as they do: a camera sees nothing but black, a range sensor hears no echo.

Shape letters: N scenes.
"""

import torch
from torch import Tensor

BLACK = -1.0
"""A pixel of an image in [-1, 1]."""
FAILURES = {"": (True, True), "camera_dark": (False, True), "range_off": (True, False), "both_off": (False, False)}
"""Which of camera and range sensor work, by the name that scores of it have."""


def without(images: Tensor, beams: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
    """Images (N, 3, H, W) in [-1, 1] and beams (N, B) of the sensors that are `on`, bool (N, 2) or (2,)."""
    camera, ranger = on.to(images.device).expand(len(images), 2).unbind(1)
    return torch.where(camera[:, None, None, None], images, BLACK), torch.where(ranger[:, None], beams, 0.0)


def available(sensors: str) -> Tensor:
    """bool (2,), for `sensors` as in `LeadConfig`."""
    return torch.tensor([sensors != "range", sensors != "camera"])
