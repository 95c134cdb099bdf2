"""Which boxes lie in regions where nothing counts.

Shape letters: A boxes, k regions.
"""

import torch
from torch import Tensor


def lie_within(boxes: Tensor, regions: Tensor, share: float = 0.5) -> Tensor:
    """Which of the boxes (A, 4) have at least a `share` of their area inside one of the regions (k, 4): bool (A,)."""
    sides = torch.minimum(boxes[:, None, 2:], regions[:, 2:]) - torch.maximum(boxes[:, None, :2], regions[:, :2])
    inside = sides.clamp(min=0).prod(-1)  # (A, k)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1, keepdim=True)
    return (inside >= share * area.clamp(min=1e-6)).any(1)
